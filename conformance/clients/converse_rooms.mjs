// What Converse.js does in rooms (XEP-0045), by its own dialogs where it has any.

export function commands_of_rooms(page, show) {
  const inside = (room) => `converse-muc[jid="${room}"]`;

  async function click(selector, words) {
    await page.waitForSelector(selector);
    await page.$$eval(
      selector,
      (all, words) => all.find((one) => one.textContent.includes(words)).click(),
      words ?? "",
    );
  }

  // Shows its window, where a slash begins a command.
  async function type(room, line) {
    await page.evaluate((jid) => void window.api.rooms.open(jid, {}, true), room);
    const field = await page.waitForSelector(`${inside(room)} .chat-textarea`, { visible: true });
    await field.type(line);
    await field.press("Enter");
  }

  async function entered(room) {
    await page.waitForSelector(`${inside(room)} .chat-textarea`, { visible: true });
    show("entered", room);
  }

  // By the dialog that makes rooms and enters them.
  async function enter(room, nick) {
    await click(".show-add-muc-modal");
    const dialog = "converse-add-muc-modal";
    const name = await page.waitForSelector(`${dialog} [name=chatroom]`, { visible: true });
    await name.type(room);
    await page.$eval(`${dialog} [name=nickname]`, (one, nick) => (one.value = nick), nick);
    await click(`${dialog} [type=submit]`);
    await entered(room);
  }

  return {
    create: enter,
    enter,
    // An invitation asks in a dialog.
    async invitation() {
      const asks = await page.waitForSelector("converse-confirm-modal", { visible: true });
      show("invitation", await asks.evaluate((one) => one.textContent.replace(/\s+/g, " ")));
    },
    async accept(room, nick) {
      await click("converse-confirm-modal [type=submit]");
      const asks = `${inside(room)} .muc-nickname-form [name=nick]`;
      const field = `${inside(room)} .chat-textarea`;
      const found = await page.waitForSelector(`${asks}, ${field}`, { visible: true });
      if (await found.evaluate((one) => one.name === "nick")) {
        await found.evaluate((one, nick) => (one.value = nick), nick);
        await click(`${inside(room)} .muc-nickname-form [name=join]`);
      }
      await entered(room);
    },
    // From what it has found by itself.
    async rooms() {
      await click(".show-list-muc-modal");
      const dialog = "converse-muc-list-modal";
      await page.waitForSelector(`${dialog} [name=server]`, { visible: true });
      await click(`${dialog} [name=list]`);
      await page.waitForSelector(`${dialog} .open-room`, { visible: true });
      const rooms = await page.$$eval(`${dialog} .open-room`, (all) =>
        all.map((one) => one.dataset.roomJid),
      );
      await click(`${dialog} [data-bs-dismiss=modal]`);
      show("rooms", ...rooms);
    },
    async invite(room, contact) {
      await click(`${inside(room)} .open-invite-modal`);
      const dialog = "converse-muc-invite-modal";
      const field = `${dialog} input[name=invitee_jids]`;
      const whom = await page.waitForSelector(field, { visible: true });
      await whom.type(contact);
      await click(`${dialog} input[type=submit]`);
    },
    say_in: type,
    name: (room, subject) => type(room, `/topic ${subject}`),
    nick: (room, nick) => type(room, `/nick ${nick}`),
    async kick(room, nick) {
      await type(room, `/kick ${nick}`);
      show("kicked", nick);
    },
    async affiliate(room, words) {
      const [contact, affiliation] = words.split(" ");
      await type(room, `/${affiliation === "outcast" ? "ban" : affiliation} ${contact}`);
    },
    // By the menu of a message.
    async moderate(room, text) {
      await page.$$eval(
        `${inside(room)} .chat-msg`,
        (all, text) => {
          const shown = all.find((one) => one.textContent.includes(text));
          shown.querySelector(".chat-msg__action-retract").click();
        },
        text,
      );
      await click("converse-confirm-modal [type=submit]");
    },
    async leave(room) {
      await click(`${inside(room)} .close-chatbox-button`);
      await click("converse-confirm-modal [type=submit]");
    },
    // What it shows of a room, in its order.
    async heard_in(room) {
      const lines = await page.$$eval(`${inside(room)} .chat-msg`, (all) =>
        all.map((shown) => [
          (shown.dataset.from ?? "").split("/")[1],
          shown.querySelector(".chat-msg__text")?.textContent.trim(),
        ]),
      );
      show("heard_in", JSON.stringify(lines));
    },
    async shows(room, text) {
      await page.waitForFunction(
        (room, text) => document.querySelector(room)?.textContent.includes(text),
        { polling: 100 },
        inside(room),
        text,
      );
      show("shows", text);
    },
  };
}
