// Generated from crates/client-wasm/src/samples.rs by `cargo xtask types`. Don't edit: change the Rust table.

import type { RawError, RawConnection, RawItem, RawInbox, RawFailedIntent, RawOutbox, RawTime, RawChannel, RawArrival, RawGap, RawStored, RawCache, OutboxChanges, LaneRows, RawRequest } from '../../src/generated/ops.js'

/** What the core writes, as TypeScript takes it. */
export const samples = [
  {"code":"network","fault":"network","retry":true,"message":"line\nbreak. The server can't be reached: check the connection and the url."} satisfies RawError,
  {"status":"connected","user":"\u0001\"","error":null,"attempt":0,"retryAt":null,"lost":false,"transport":"ws","durable":true} satisfies RawConnection,
  {"status":"waiting","user":null,"error":{"code":"network","fault":"network","retry":true,"message":"line\nbreak. The server can't be reached: check the connection and the url."},"attempt":3,"retryAt":9,"lost":true,"transport":null,"durable":false} satisfies RawConnection,
  [1,11,"n\"1","payment",7,{"title":"Paid"}] satisfies RawItem,
  [1,11] satisfies RawItem,
  {"id":1,"kind":"mark","channel":"system:all","at":2,"error":{"code":"network","fault":"network","retry":true,"message":"line\nbreak. The server can't be reached: check the connection and the url."}} satisfies RawFailedIntent,
  {"pending":1,"failed":[{"id":1,"kind":"mark","channel":"system:all","at":2,"error":{"code":"network","fault":"network","retry":true,"message":"line\nbreak. The server can't be reached: check the connection and the url."}}]} satisfies RawOutbox,
  {"status":"idle","gap":null,"hasMore":false,"loadingMore":false,"error":null,"messages":[]} satisfies RawChannel,
  {"status":"catching-up","gap":{"from":1,"to":2,"why":"retention"},"hasMore":false,"loadingMore":false,"error":{"code":"network","fault":"network","retry":true,"message":"line\nbreak. The server can't be reached: check the connection and the url."},"messages":[[1,3,"m1",null,7,{"user":"u1","info":{"title":"Paid"}},{"title":"Paid"},{"code":"network","fault":"network","retry":true,"message":"The server can't be reached: check the connection and the url."}],[1,0,"m1",4,7,{"user":"u1","info":null},{"title":"Paid"},null]]} satisfies RawChannel,
  {"status":"catching-up","gap":{"from":1,"to":2,"why":"retention"},"hasMore":false,"loadingMore":false,"error":{"code":"network","fault":"network","retry":true,"message":"line\nbreak. The server can't be reached: check the connection and the url."},"messages":[[1],[1,0,"m1",4,7,{"user":"u1","info":null},{"title":"Paid"},null]]} satisfies RawChannel,
  {"channel":"system:all","message":[1,0,"m1",4,7,{"user":"u1","info":null},{"title":"Paid"},null]} satisfies RawArrival,
  {"channel":"system:all","from":1,"to":2,"why":"epoch"} satisfies RawGap,
  {"channel":"system:all","epoch":"BAAAAAAA","offset":3,"id":""} satisfies RawStored,
  {"user":"u1","text":"{}","cursors":[["BAAAAAAA",2],["DAAAAAAA",4]],"over":["BAAAAAAA"]} satisfies RawCache,
  {"user":"u1","changes":[["a",1,"1170\nx"],["a",2]]} satisfies OutboxChanges,
  {"path":"poll?wait=0","bearer":"t","body":"{}"} satisfies RawRequest,
  {"path":"poll?wait=0","bearer":null,"body":"{}"} satisfies RawRequest,
  [["a","1","1170\nx"]] satisfies LaneRows,
  {"status":"loading","unread":0,"unseen":0,"count":null,"hasMore":false,"loadingMore":true,"error":null,"items":[],"gone":[4,5]} satisfies RawInbox,
  null satisfies RawTime,
]
