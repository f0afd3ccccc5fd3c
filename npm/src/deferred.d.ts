/**
 * `dist/deferred.js`, written by the build: the part of the module that loads later, deflated (raw)
 * and in base64.
 */
declare const packed: string
export default packed
