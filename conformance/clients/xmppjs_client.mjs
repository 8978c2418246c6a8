// An @xmpp/client that is driven by lines on stdin and prints what it sees, a line each.
//
//     node xmppjs_client.mjs JID PASSWORD PORT starttls|direct MODULES
//
// Commands: `say JID TEXT`, `quit`. The certificate is given by NODE_EXTRA_CA_CERTS.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [address, password, port, tls, modules] = process.argv.slice(2);
const entry = createRequire(modules + "/").resolve("@xmpp/client");
const { client, jid, xml } = await import(pathToFileURL(entry));

const { local, domain, resource } = jid(address);
const scheme = tls === "direct" ? "xmpps" : "xmpp";
const service = `${scheme}://${domain}:${port}`;
const xmpp = client({ service, domain, resource, username: local, password });
const show = (...words) => console.log(...words);
const bare = (from) => jid(from).bare().toString();

xmpp.on("error", (error) => show("error", error.message));

xmpp.on("online", async (full) => {
  await xmpp.send(xml("presence"));
  const secured = xmpp.socket.socket;
  const version = secured?.encrypted && secured.authorized ? secured.getProtocol() : "plaintext";
  show("online", full.toString(), version);
});

xmpp.on("stanza", (stanza) => {
  const body = stanza.is("message") && stanza.getChildText("body");
  if (body) show("message", bare(stanza.attrs.from), body);
});

const commands = createInterface({ input: process.stdin });
commands.on("line", async (line) => {
  const [command, to, ...text] = line.split(" ");
  if (command === "say") {
    await xmpp.send(xml("message", { type: "chat", to }, xml("body", {}, text.join(" "))));
  } else if (command === "quit") {
    await xmpp.stop();
    process.exit(); // an open stdin would keep it alive
  } else {
    show("unknown command", line);
  }
});

await xmpp.start();
