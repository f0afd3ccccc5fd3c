import type { TidingsOptions } from 'tidings'

import { ticket } from './ticket'

export const options: TidingsOptions = { url: 'https://rt.example.com', ticket }
