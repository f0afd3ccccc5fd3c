/** `dist/rest.js`, written by the build: what of the module loads later, deflated (raw) and in base64. */
declare const packed: string
export default packed
