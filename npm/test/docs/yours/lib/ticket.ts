/** As the README has it. */
export const ticket = async (): Promise<string | null> => null
