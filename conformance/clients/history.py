"""What a client knows of a day on which it was away: read from its own database, or its page.

Each of these scenes has a server of its own, whose clock it moves; nobody is logged in when it
begins.
"""

from datetime import datetime, timedelta

from clients import Aioxmpp, Converse, Slixmpp
from desktop import Gajim
from profanity import Historian
from waiting import Failure, until

HOURS = 24
THIRD = range(HOURS // 3, 2 * HOURS // 3)


class Chat:
    """What has been said between two accounts, and when: by the clock of the server."""

    def __init__(self, friend, account, lines_an_hour):
        self.friend = friend
        self.account = account
        self.clock = friend.server.clock
        self.lines_an_hour = lines_an_hour
        self.said = []  # text, whether the account has said it, and the ends of its time

    def says(self, speaker, text, to=None):
        is_own = speaker.jid == self.account
        begun = self.clock.now().replace(microsecond=0)  # stamps may be to the second
        speaker.say(to or (self.friend.jid if is_own else self.account), text)
        self.said.append([text, is_own, begun, None])
        return text

    def settles(self, speaker):
        """The server has it."""
        speaker.settles()
        for line in self.said:
            line[3] = line[3] or self.clock.now()

    def passes(self, hour, speakers):
        """An hour of the day, in which they say something in turn."""
        self.clock.set(timedelta(hours=hour - HOURS))
        for number in range(self.lines_an_hour):
            speaker = speakers[number % len(speakers)]
            self.says(speaker, f"{hour} o'clock, line {number}, {speaker.resource}: <&> 🐦")
            if len(speakers) > 1 or number == self.lines_an_hour - 1:
                self.settles(speaker)

    def stands_in(self, who, history):
        """All of it, once, in order, with its speaker and its time; waits until all is there."""

        def all_is_there():
            lines = history()
            return lines if len(lines) >= len(self.said) else None

        what = f"{who} to have {len(self.said)} lines"
        try:
            lines = until(all_is_there, what)
        except Failure as failure:
            raise type(failure)(f"{failure}; it has {listed(history())}") from None
        if [line[1:] for line in lines] != [line[:2] for line in self.said]:
            raise Failure(f"the history of {who}: {listed(lines)}, not {listed(self.said)}")
        now = self.clock.now()  # what is heard live has the time of who hears it
        for (time, text, _), (*_, begun, ended) in zip(lines, self.said, strict=True):
            if not begun <= datetime.fromisoformat(time) <= (ended or now):
                raise Failure(f"{who} has {text!r} at {time}, not from {begun} to {ended}")


def listed(lines):
    return "".join(f"\n    {' '.join(map(str, line))}" for line in lines)


def a_day_away(friend, desktop, client):
    """XEP-0313: nobody is there, or only the account's other device, which says something, too.

    What nobody took waits for who comes (XEP-0160), and stands in its history once nevertheless.
    """
    attended = THIRD if client.takes_what_waits else range(HOURS)
    chat = Chat(friend, client.jid, client.lines_an_hour)
    friend.login()
    for hour in range(HOURS):
        if hour == attended.start:
            desktop.login()
        chat.passes(hour, [friend, desktop] if hour in attended else [friend])
        if hour == attended.stop - 1:
            desktop.logout()
        if hour == 0:
            client.login()
            client.open_chat(friend.jid)
            chat.stands_in(client.name, lambda: client.history(friend.jid))
            client.logout()
    chat.clock.set(timedelta())
    client.login()
    client.open_chat(friend.jid)
    chat.stands_in(client.name, lambda: client.history(friend.jid))
    desktop.login()
    on_two_devices(chat, friend, desktop, client)
    chat.stands_in(client.name, lambda: client.history(friend.jid))
    chat.stands_in(desktop.resource, lambda: desktop.history(friend.jid))
    for one in (friend, desktop, client):
        one.logout()


def on_two_devices(chat, friend, desktop, client):
    """XEP-0280: what the other device is told and says stands beside what one says oneself."""
    text = chat.says(friend, "a line for the other device", f"{desktop.jid}/{desktop.resource}")
    desktop.hears(friend.jid, text)
    text = chat.says(desktop, "a line of the other device")
    friend.hears(desktop.jid, text)
    chat.stands_in(client.name, lambda: client.history(friend.jid))  # before it says something
    text = chat.says(client, "a line of one's own")
    friend.hears(client.jid, text)
    text = chat.says(friend, "a line for all")
    desktop.hears(friend.jid, text)


def desktop_of(family):
    """Another device of an account."""
    which = {"name": family.name, "resource": "desktop"}
    return type(f"{family.__name__}sDesktop", (Slixmpp,), which)


class Balthasar(Slixmpp):
    name = "balthasar"


def day(family, way, title="a day away"):
    cast = [(Balthasar, "direct"), (desktop_of(family), "starttls"), (family, way)]
    return (title, a_day_away, *cast)


DAYS = [
    day(Converse, "host-meta", "a day away from the browser"),
    day(Gajim, "direct"),
    day(Historian, "direct", "a day away from the terminal"),
    day(Aioxmpp, "starttls"),
]
