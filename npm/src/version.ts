/** Version of the package, stated to the server; a test compares it with package.json. */
export const VERSION = '0.1.0'
