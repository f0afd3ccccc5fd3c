import { createTidings } from 'tidings'
import { ticket } from './ticket'

export const tidings = createTidings({ url: 'https://rt.example.com', ticket })
