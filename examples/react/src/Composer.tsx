import { useId, useState, type FormEvent, type KeyboardEvent, type Ref } from 'react'

import { Icon } from './Icon'

interface ComposerProps {
  readonly ref: Ref<HTMLTextAreaElement>
  readonly title: string
  readonly onSend: (text: string) => void
}

/** Messages can be sent without a connection: the SDK keeps them until there is one. */
export function Composer({ ref, title, onSend }: ComposerProps) {
  const id = useId()
  const [text, setText] = useState('')

  function send(event: FormEvent | KeyboardEvent) {
    event.preventDefault()
    const said = text.trim()
    if (said === '') return
    onSend(said)
    setText('')
  }

  /**
   * Enter sends, and with Shift it adds a line. While an input method composes, it does neither.
   */
  function press(event: KeyboardEvent) {
    if (event.key === 'Enter' && !event.shiftKey && !event.nativeEvent.isComposing) send(event)
  }

  return (
    <form className="composer" onSubmit={send}>
      <label className="visually-hidden" htmlFor={id}>
        Message to {title}
      </label>
      <textarea
        id={id}
        ref={ref}
        rows={1}
        maxLength={2000}
        placeholder={`Message to ${title}`}
        value={text}
        onChange={event => setText(event.currentTarget.value)}
        onKeyDown={press}
      />
      <button className="button primary" disabled={text.trim() === ''}>
        <Icon name="send" />
        Send
      </button>
    </form>
  )
}
