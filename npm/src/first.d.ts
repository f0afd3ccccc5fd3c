/** `dist/first.js`, written by the build: what of the module loads first, deflated (raw) and in base64. */
declare const packed: string
export default packed
