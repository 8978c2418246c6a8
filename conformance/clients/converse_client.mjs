// Converse.js in a headless Chromium: driven by lines on stdin, prints what its page shows.
//
//     node converse_client.mjs JID PASSWORD SERVICE CERTIFICATE FOLDER MODULES
//
// SERVICE is the URL of a WebSocket or of BOSH, or of the host-meta that tells of them (XEP-0156).
// FOLDER is for what the browser writes.
// Commands, of rooms see converse_rooms.mjs: `open JID`, `approve JID`, `say JID TEXT`, `history JID`, `screenshot FILE`, `quit`.

import { createHash, X509Certificate } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { extname, join, normalize } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

import { commands_of_rooms } from "./converse_rooms.mjs";

const [jid, password, service, certificate, folder, modules] = process.argv.slice(2);
const entry = createRequire(modules + "/").resolve("puppeteer-core");
const { default: puppeteer } = await import(pathToFileURL(entry));
const show = (...words) => console.log(...words);

const dist = join(modules, "converse.js", "dist");
const types = { ".js": "text/javascript", ".css": "text/css", ".json": "application/json" };
const styles = '<link rel="stylesheet" href="/converse.min.css">';
const program = '<script type="module" src="/converse.min.js"></script>';
const document_text = `<!doctype html><meta charset="utf-8"><title>Converse</title>
${styles}${program}<body class="reset"></body>`;

// The page and all it needs come from here: nothing is loaded from the network.
const site = createServer((request, response) => {
  const path = normalize(new URL(request.url, "http://localhost").pathname);
  try {
    const file = path === "/" ? document_text : readFileSync(join(dist, path));
    response.setHeader("content-type", types[extname(path)] ?? "text/html");
    response.end(file);
  } catch {
    response.statusCode = 404;
    response.end();
  }
});
// The same page every time: what it has stored belongs to its address.
const address = `${folder}.port`;
const known_port = existsSync(address) ? Number(readFileSync(address)) : 0;
await new Promise((listening) => site.listen(known_port, "127.0.0.1", listening));
writeFileSync(address, `${site.address().port}`);

// Of what is not signed by a known authority the browser takes this one key, and no other.
const key = new X509Certificate(readFileSync(certificate)).publicKey;
const pin = createHash("sha256").update(key.export({ type: "spki", format: "der" }));

// The port that a service of the domain has when no port is said is this one, too. No name but
// the domain's leads anywhere.
const { hostname, port } = new URL(service);
const here = ["443", port].map((asked) => `MAP ${hostname}:${asked} 127.0.0.1:${port}`);
const hosts = [...here, `MAP localhost 127.0.0.1`, "MAP * ~NOTFOUND"];
const browser = await puppeteer.launch({
  executablePath: "/usr/bin/chromium",
  userDataDir: folder,
  timeout: 0, // whoever drives it bounds each step
  protocolTimeout: 0,
  args: [
    "--no-sandbox", // a container has only root, who gets no sandbox
    "--disable-gpu",
    "--disable-dev-shm-usage",
    `--host-resolver-rules=${hosts.join(", ")}`,
    `--ignore-certificate-errors-spki-list=${pin.digest("base64")}`,
  ],
  defaultViewport: { width: 1000, height: 700 },
});
const page = await browser.newPage();
page.setDefaultTimeout(0);
page.on("pageerror", (error) => show("pageerror", error.message));
page.on("console", (message) => {
  if (message.type() === "error") show("console", message.text());
});
await page.exposeFunction("show", show);
await page.goto(`http://localhost:${site.address().port}/`);
await page.waitForFunction("window.converse");

const setting = service.startsWith("ws") ? "websocket_url" : "bosh_service_url";
const discover_connection_methods = service.endsWith("/host-meta");
const known = discover_connection_methods ? {} : { [setting]: service };
const connection = { ...known, discover_connection_methods };

await page.evaluate(
  (jid, password, connection) => {
    const converse = window.converse;
    converse.plugins.add("driven", {
      initialize() {
        const { api } = this._converse;
        window.api = api;
        api.listen.on("connected", async () => {
          await api.waitUntil("rosterContactsFetched");
          const { jid, service } = api.connection.get();
          show("online", jid, new URL(service).protocol);
        });
        api.listen.on("disconnected", () => show("disconnected"));
        api.listen.on("contactRequest", (one) => show("presence_subscribe", one.get("jid")));
      },
    });
    // What others say, once it stands on the page
    new MutationObserver(() => {
      for (const shown of document.querySelectorAll(".chat-msg:not(.told)")) {
        const text = shown.querySelector(".chat-msg__text")?.textContent.trim();
        if (!text) continue;
        shown.classList.add("told");
        const [from, nick] = (shown.dataset.from ?? "").split("/");
        const room = shown.closest("converse-muc")?.getAttribute("jid");
        if (room) show("room_message", room, nick, text);
        else if (from !== jid.split("/")[0]) show("message", from, text);
      }
    }).observe(document.body, { childList: true, subtree: true, characterData: true });
    converse.initialize({
      allow_non_roster_messaging: true,
      assets_path: "/",
      authentication: "login",
      auto_login: true,
      ...connection,
      i18n: "en",
      jid,
      password,
      view_mode: "fullscreen",
      whitelisted_plugins: ["driven"],
    });
  },
  jid,
  password,
  connection,
);

// Stands when what is said in it would be shown: what comes while it opens may stay hidden.
async function open(contact) {
  await page.evaluate(async (jid) => void (await window.api.chats.open(jid, {}, true)), contact);
  return await page.waitForSelector(`converse-chat[jid="${contact}"] .chat-textarea`);
}

const obey = {
  async open(contact) {
    await open(contact);
    show("opened", contact);
  },
  async approve(contact) {
    await page.waitForSelector(".accept-xmpp-request");
    await page.evaluate(() => document.querySelector(".accept-xmpp-request").click());
    const consent = "converse-accept-contact-request-modal button[type=submit]";
    await (await page.waitForSelector(consent, { visible: true })).click();
  },
  async say(to, text) {
    const field = await open(to);
    await field.type(text);
    await field.press("Enter");
  },
  // What is missing is fetched by who scrolls there. It shows a hundred lines at a time.
  async history(contact) {
    await open(contact);
    const chat = `converse-chat[jid="${contact}"]`;
    await page.waitForFunction(
      (placeholder) => {
        const missing = document.querySelector(placeholder);
        missing?.scrollIntoView();
        return !missing;
      },
      { polling: 100 },
      `${chat} converse-mam-placeholder`,
    );
    const lines = await page.$$eval(
      `${chat} .chat-msg`,
      (all, own) =>
        all.map((shown) => [
          shown.dataset.isodate,
          shown.querySelector(".chat-msg__text")?.textContent.trim(),
          (shown.dataset.from ?? "").split("/")[0] === own,
        ]),
      jid.split("/")[0],
    );
    show("history", JSON.stringify(lines));
  },
  async screenshot(file) {
    await page.screenshot({ path: file });
    show("screenshot", file);
  },
  async quit() {
    await page.evaluate(() => window.api.user.logout());
    await browser.close();
    process.exit();
  },
};

Object.assign(obey, commands_of_rooms(page, show));

const commands = createInterface({ input: process.stdin });
for await (const line of commands) {
  const [command, to, ...text] = line.split(" ");
  await obey[command](to, text.join(" "));
}
