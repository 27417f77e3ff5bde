// The smallest LSP client that a page needs: requests, notifications, and what the server asks of an editor.

export class Client {
  /** @param {Worker} worker @param {(text: string) => void} status */
  constructor(worker, status) {
    this.worker = worker;
    this.number = 0;
    this.asked = new Map();
    this.heard = new Map();
    worker.onmessage = ({ data }) => (data.status === undefined ? this.receive(JSON.parse(data.message)) : status(data.status));
  }

  /** Says what happens at a notification or request of the server; its result answers a request. */
  on(method, act) {
    this.heard.set(method, act);
  }

  send(message) {
    this.worker.postMessage(JSON.stringify({ jsonrpc: '2.0', ...message }));
  }

  notify(method, params) {
    this.send({ method, params });
  }

  ask(method, params) {
    const id = ++this.number;
    this.send({ id, method, params });
    return new Promise((resolve, reject) => this.asked.set(id, { resolve, reject }));
  }

  /** Carries out one of the server's commands. */
  command(command, argument = {}) {
    return this.ask('workspace/executeCommand', { command, arguments: [argument] });
  }

  async content(uri) {
    return (await this.ask('workspace/textDocumentContent', { uri })).text;
  }

  receive(message) {
    if (message.method === undefined) {
      const asked = this.asked.get(message.id);
      this.asked.delete(message.id);
      message.error === undefined ? asked?.resolve(message.result) : asked?.reject(new Error(message.error.message));
      return;
    }
    const result = this.heard.get(message.method)?.(message.params) ?? null;
    if (message.id !== undefined) {
      this.send({ id: message.id, result });
    }
  }
}
