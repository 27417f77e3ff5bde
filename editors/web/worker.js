// The language server: the Python code of this repository under Pyodide, which hears and says LSP messages as text.
import { loadPyodide } from './pyodide/pyodide.mjs';

const waiting = [];
let hear = (text) => waiting.push(text);
self.onmessage = ({ data }) => hear(data);

const tell = (text) => self.postMessage({ status: text });

try {
  const python = await loadPyodide({ indexURL: new URL('./pyodide/', self.location.href).href });
  tell('Loading the server…');
  const site = python.runPython('import sysconfig; sysconfig.get_paths()["purelib"]');
  const names = await (await fetch('python/archives.json')).json();
  for (const name of names) {
    const archive = await (await fetch(`python/${name}`)).arrayBuffer();
    python.unpackArchive(archive, 'zip', { extractDir: site });
  }
  python.globals.set('send', (text) => self.postMessage({ message: text }));
  python.globals.set('pace', Number(new URL(self.location.href).searchParams.get('pace') ?? 1));
  const page = python.runPython(`
from agentos_lsp.cli import browser
browser.absent()
browser.Page(send, pace)
`);
  hear = (text) => page.hear(text);
  waiting.forEach(hear);
  tell('Starting the server…');
  await page.serve();
} catch (error) {
  tell(`The server ended: ${error}`);
}
