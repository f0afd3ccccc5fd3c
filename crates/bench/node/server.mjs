// The basic job: connections without authentication, and a POST whose body goes to all of them.
//
//   POST /publish          answers at once
//   POST /publish?durable  appends to a file and answers after an fdatasync for this request
//   POST /gc               collects garbage, so that only memory in use is measured (--expose-gc)
//
// Usage: node --expose-gc server.mjs FILE PORT
import { open } from 'node:fs/promises'
import { createServer } from 'node:http'
import { WebSocketServer } from 'ws'

const log = await open(process.argv[2], 'a')
const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: 65536, clientTracking: true })
const ANSWER = '{"results":[]}'

const server = createServer((request, response) => {
  const answer = () => {
    response.writeHead(201, { 'Content-Type': 'application/json', 'Content-Length': ANSWER.length })
    response.end(ANSWER)
  }
  if (request.url === '/readyz') return answer()
  const chunks = []
  request.on('data', chunk => chunks.push(chunk))
  request.on('end', async () => {
    if (request.url === '/gc') {
      globalThis.gc()
      return answer()
    }
    const body = Buffer.concat(chunks)
    if (request.url === '/publish?durable') {
      await log.appendFile(body)
      await log.datasync()
    }
    // A Buffer is sent without being copied or encoded again, marked as text.
    for (const socket of sockets.clients) socket.send(body, { binary: false })
    answer()
  })
})
server.on('upgrade', (request, socket, head) => {
  sockets.handleUpgrade(request, socket, head, accepted => {
    accepted.on('error', () => accepted.terminate())
    accepted.send('{"type":"connected"}')
  })
})
server.keepAliveTimeout = 0
server.listen({ host: '127.0.0.1', port: Number(process.argv[3]), backlog: 4096 })
