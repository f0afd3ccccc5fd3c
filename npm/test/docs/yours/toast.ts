export const toast = (text: string, error?: Error): void => console.log(text, error?.message ?? '')
