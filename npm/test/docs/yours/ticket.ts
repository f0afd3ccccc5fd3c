/** The sample of the README. */
export const ticket = async (): Promise<string | null> => null
