/** `dist/inline.js`, written by the build: the module, deflated (raw) and in base64. */
declare const core: string
export default core
