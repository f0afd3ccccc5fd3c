/**
 * The smallest app of each kind: it shows the state of the connection and the number of unread
 * items.
 */

/** An address without a server. */
export const NOBODY = '127.0.0.1:1'

const CLIENT = `import { createTidings } from 'tidings'
export const client = createTidings({ url: 'http://${NOBODY}', ticket: async () => 'T', storage: 'memory' })
`

const page = (script: string) => `<!doctype html><title>app</title><div id="app"><!--app--></div><script type="module" src="${script}"></script>`

/** The client alone, which records all its states. */
export const plain = {
  'index.html': page('/main.js'),
  'client.js': CLIENT,
  'main.js': `import { client } from './client.js'
    const states = (window.states = [])
    window.before = [client.connection.get().status, client.inbox.get() === client.inbox.initial]
    client.connection.subscribe(({ status, error }) => states.push([status, error && error.code, error && error.message]))`,
}

export const react = {
  'index.html': page('/main.jsx'),
  'client.js': CLIENT,
  'App.jsx': `import { TidingsProvider, useConnection, useUnreadCount } from 'tidings/react'
    import { client } from './client.js'
    function State() {
      const { status, error } = useConnection()
      return <output>{status + ' ' + (error?.code ?? 'well') + ' ' + useUnreadCount()}</output>
    }
    export const App = () => <TidingsProvider client={client} user="u1"><State /></TidingsProvider>`,
  'main.jsx': `import { createRoot, hydrateRoot } from 'react-dom/client'
    import { App } from './App.jsx'
    const target = document.getElementById('app')
    window.written = document.querySelector('output')
    if (window.written) hydrateRoot(target, <App />)
    else createRoot(target).render(<App />)`,
  'server.jsx': `import { renderToString } from 'react-dom/server'
    import { App } from './App.jsx'
    import { client } from './client.js'
    console.log(JSON.stringify([renderToString(<App />), client.connection.get().status]))`,
}

export const svelte = {
  'index.html': page('/main.js'),
  'client.js': CLIENT,
  'vite.config.js': `import { svelte } from '@sveltejs/vite-plugin-svelte'
    export default { plugins: [svelte()] }`,
  'State.svelte': `<script>
      import { useConnection, useUnreadCount } from 'tidings/svelte'
      import { client } from './client.js'
      const connection = useConnection()
      const unread = useUnreadCount()
      const { inbox } = client
    </script>
    <output>{connection.status} {connection.error?.code ?? 'well'} {unread.current}</output><p>{$inbox.status}</p>`,
  'App.svelte': `<script>
      import { setTidings } from 'tidings/svelte'
      import { client } from './client.js'
      import State from './State.svelte'
      setTidings(client, () => 'u1')
    </script>
    <State />`,
  'main.js': `import { hydrate, mount } from 'svelte'
    import App from './App.svelte'
    window.written = document.querySelector('output')
    const show = window.written ? hydrate : mount
    show(App, { target: document.getElementById('app') })`,
  'server.js': `import { render } from 'svelte/server'
    import App from './App.svelte'
    import { client } from './client.js'
    console.log(JSON.stringify([render(App).body, client.connection.get().status]))`,
}

/** Plain modules, which webpack takes without a loader. */
export const webpack = {
  'client.js': CLIENT,
  'main.js': `import { createElement } from 'react'
    import { createRoot } from 'react-dom/client'
    import { TidingsProvider, useConnection, useUnreadCount } from 'tidings/react'
    import { client } from './client.js'
    function State() {
      const { status, error } = useConnection()
      return createElement('output', null, status + ' ' + (error?.code ?? 'well') + ' ' + useUnreadCount())
    }
    createRoot(document.getElementById('app')).render(createElement(TidingsProvider, { client, user: 'u1' }, createElement(State)))`,
  'build.js': `import { copyFile } from 'node:fs/promises'
    import webpack from 'webpack'
    const stats = await new Promise((resolve, reject) =>
      webpack({ mode: 'production', entry: './main.js', performance: false, optimization: { minimize: false } }, (error, stats) => (error ? reject(error) : resolve(stats))))
    if (stats.hasErrors() || stats.hasWarnings()) throw new Error(stats.toString())
    await copyFile('index.html', 'dist/index.html')`,
  'index.html': page('/main.js'),
}
