// An @xmpp/client that is driven by lines on stdin and prints what it sees, a line each.
//
//     node xmppjs_client.mjs JID PASSWORD SERVICE MODULES
//
// Commands: `say JID TEXT`, `reconnect`, `quit`. The certificate is given by NODE_EXTRA_CA_CERTS.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [address, password, service, modules] = process.argv.slice(2);
const entry = createRequire(modules + "/").resolve("@xmpp/client");
const { client, jid, xml } = await import(pathToFileURL(entry));

const { local, domain, resource } = jid(address);
const account = { domain, resource, username: local, password };
// Its own two seconds for an end in order are not enough on a busy machine.
const xmpp = client({ service, ...account, timeout: 60_000 });
const show = (...words) => console.log(...words);
const bare = (from) => jid(from).bare().toString();

// Node lets nobody see the TLS of a WebSocket; it opens none that it cannot verify.
function protection() {
  if (service.startsWith("ws")) return new URL(service).protocol;
  const secured = xmpp.socket.socket;
  return secured?.encrypted && secured.authorized ? secured.getProtocol() : "plaintext";
}

xmpp.reconnect.delay = 0;
xmpp.on("error", (error) => show("error", error.message));

xmpp.on("send", ({ name, attrs }) => {
  if (/^auth/.test(name)) show("authenticates", attrs.xmlns, attrs.mechanism);
});

xmpp.on("online", async (full) => {
  await xmpp.send(xml("presence"));
  show("bound", full.toString());
});

// Its own presence comes back (RFC 6121 §4.2.2): from now on messages are for it.
xmpp.on("stanza", (stanza) => {
  if (stanza.is("presence") && stanza.attrs.from === xmpp.jid.toString()) {
    show("online", stanza.attrs.from, protection());
  }
  const body = stanza.is("message") && stanza.getChildText("body");
  if (body) show("message", bare(stanza.attrs.from), body);
});

const commands = createInterface({ input: process.stdin });
commands.on("line", async (line) => {
  const [command, to, ...text] = line.split(" ");
  if (command === "say") {
    await xmpp.send(xml("message", { type: "chat", to }, xml("body", {}, text.join(" "))));
  } else if (command === "reconnect") {
    await xmpp.disconnect(); // and its own plugin connects again
  } else if (command === "quit") {
    await xmpp.stop();
    process.exit(); // an open stdin would keep it alive
  } else {
    show("unknown command", line);
  }
});

// It begins to wait for the server's header when its own is written, and may have missed it then.
await xmpp.start().catch((error) => show("error", error.message));
