"""The table of bad requests: what is sent, by whom, and the status and error code that must come back.

    (name, who, method, path, body, expected)

{…} in a path stands for a thing of the stage, percent-encoded; in a body (a Python value) "{…}" is put in as it is. body:
None: none; bytes: as they are; anything else: JSON. expected: "400 M_BAD_JSON", several codes with "|" between them.
None of these requests changes anything.
"""
from urllib.parse import quote

V3 = "/_matrix/client/v3"
ROOM = V3 + "/rooms/{control}"
OWN = V3 + "/rooms/{scratch}"
SEND = OWN + "/send/m.room.message/{txn}"
LONG = "x" * 256
DEEP = b"[" * 100000 + b"]" * 100000
TEXT = {"msgtype": "m.text", "body": "hello"}


def nested(n):
    value = 1
    for _ in range(n):
        value = [value]
    return value


# Bodies that no endpoint takes, sent to several kinds of endpoint.
BODIES = [
    ("nothing that is JSON", b"hello", "400 M_NOT_JSON"),
    ("JSON cut short", b'{"msgtype":"m.text","body":"he', "400 M_NOT_JSON"),
    ("something behind the JSON", b'{"body":"x"} {}', "400 M_NOT_JSON"),
    ("a comma too many", b'{"body":"x",}', "400 M_NOT_JSON"),
    ("single quotes", b"{'body':'x'}", "400 M_NOT_JSON"),
    ("NaN", b'{"body":NaN}', "400 M_NOT_JSON"),
    ("invalid UTF-8", b'{"body":"\xff\xfe"}', "400 M_NOT_JSON"),
    ("a surrogate as UTF-8", b'{"body":"\xed\xa0\x80"}', "400 M_NOT_JSON"),
    ("an overlong NUL", b'{"body":"\xc0\x80"}', "400 M_NOT_JSON"),
    ("half a surrogate pair", rb'{"body":"\ud800"}', "400 M_NOT_JSON|M_BAD_JSON"),
    ("an escaped NUL", rb'{"body":"a\u0000b"}', "400 M_NOT_JSON|M_BAD_JSON"),
    ("an escaped NUL in a key", rb'{"a\u0000b":1}', "400 M_NOT_JSON|M_BAD_JSON"),
    ("a NUL byte", b'{"body":"a\0b"}', "400 M_NOT_JSON"),
    ("UTF-16", '{"body":"x"}'.encode("utf-16"), "400 M_NOT_JSON"),
    ("a byte order mark", b'\xef\xbb\xbf{"body":"x"}', "400 M_NOT_JSON"),
    ("a key twice", b'{"body":"x","body":"y"}', "400 M_BAD_JSON|M_NOT_JSON"),
    ("a key twice, deeper", b'{"body":"x","z":[{"a":1,"a":2}]}', "400 M_BAD_JSON|M_NOT_JSON"),
    ("an array", [], "400 M_BAD_JSON"),
    ("a string", b'"hello"', "400 M_BAD_JSON"),
    ("a number", b"17", "400 M_BAD_JSON"),
    ("null", b"null", "400 M_BAD_JSON"),
    ("100000 arrays in each other", DEEP, "400 M_BAD_JSON|M_NOT_JSON"),
    ("101 arrays in each other", {"x": nested(101)}, "400 M_BAD_JSON"),
    ("100000 arrays that do not end", b'{"x":' + b"[" * 100000, "400 M_BAD_JSON|M_NOT_JSON"),
    ("more than a megabyte", b'{"body":"' + b"x" * (1 << 20) + b'"}', "413 M_TOO_LARGE"),
]
BODY_TARGETS = [
    ("send", "PUT", SEND),
    ("state", "PUT", OWN + "/state/m.room.topic"),
    ("createRoom", "POST", V3 + "/createRoom"),
    ("join", "POST", ROOM + "/join"),
    ("account data", "PUT", V3 + "/user/{mallory}/account_data/test"),
    ("filter", "POST", V3 + "/user/{mallory}/filter"),
    ("receipt", "POST", OWN + "/receipt/m.read/{scratch_event}"),
    ("devices", "POST", V3 + "/delete_devices"),
]

# Values that no event holds (Appendices, "Canonical JSON").
NUMBERS = [
    ("a float", b"1.5"), ("a whole float", b"1.0"), ("an exponent", b"1e3"), ("minus nought as a float", b"-0.0"),
    ("2^53", b"9007199254740992"), ("-2^53", b"-9007199254740992"), ("2^63", b"9223372036854775808"),
    ("2^64", b"18446744073709551616"), ("a hundred digits", b"9" * 100), ("1e400", b"1e400"),
]


def bodies():
    for target, method, path in BODY_TARGETS:
        for name, body, expected in BODIES:
            yield f"{target} with {name}", "mallory", method, path, body, expected


def numbers():
    for name, number in NUMBERS:
        for where, body in (("at the top", b'{"msgtype":"m.text","body":"x","n":%s}'), ("deeper", b'{"a":[{"n":%s}]}')):
            yield f"an event with {name} {where}", "mallory", "PUT", SEND, body % number, "400 M_BAD_JSON"
        yield (f"state with {name}", "mallory", "PUT", OWN + "/state/test.number/", b'{"n":%s}' % number, "400 M_BAD_JSON")
        yield (f"createRoom with {name} in its initial state", "mallory", "POST", V3 + "/createRoom",
               b'{"initial_state":[{"type":"t","content":{"n":%s}}]}' % number, "400 M_BAD_JSON")


TOKENS = [
    ("no token", "nobody", "GET", V3 + "/account/whoami", None, "401 M_MISSING_TOKEN"),
    ("no token, and a bad body", "nobody", "POST", V3 + "/createRoom", b"{", "401 M_MISSING_TOKEN"),
    ("an unknown token", "token nonsense", "GET", V3 + "/account/whoami", None, "401 M_UNKNOWN_TOKEN"),
    ("a very long token", "token " + "x" * 20000, "GET", V3 + "/account/whoami", None, "401 M_UNKNOWN_TOKEN|M_MISSING_TOKEN"),
    ("an empty token in the query", "nobody", "GET", V3 + "/account/whoami?access_token=", None, "401 M_MISSING_TOKEN"),
    ("an unknown token in the query", "nobody", "GET", V3 + "/sync?access_token=x%27%20OR%201=1--", None, "401 M_UNKNOWN_TOKEN"),
    ("an unknown token for a send", "token abc", "PUT", SEND, TEXT, "401 M_UNKNOWN_TOKEN"),
    ("an unknown token where one is optional", "token abc", "GET", V3 + "/publicRooms", None, "401 M_UNKNOWN_TOKEN"),
    ("an unknown token and an unknown path", "token abc", "GET", V3 + "/nowhere", None, "404 M_UNRECOGNIZED"),
]

PATHS = [
    ("an unknown path", "mallory", "GET", V3 + "/nonsense", None, "404 M_UNRECOGNIZED"),
    ("nearly a page", "mallory", "GET", "/parta", None, "404 M_UNRECOGNIZED"),
    ("only the prefix", "mallory", "GET", "/_matrix/client", None, "404 M_UNRECOGNIZED"),
    ("an unknown version", "mallory", "GET", "/_matrix/client/v99/sync", None, "404 M_UNRECOGNIZED"),
    ("a slash at the end", "mallory", "GET", V3 + "/account/whoami/", None, "404 M_UNRECOGNIZED"),
    ("two slashes", "mallory", "GET", V3 + "//account/whoami", None, "404 M_UNRECOGNIZED"),
    ("dots", "mallory", "GET", V3 + "/rooms/../account/whoami", None, "404 M_UNRECOGNIZED"),
    ("encoded dots", "mallory", "GET", V3 + "/rooms/%2e%2e/%2e%2e/account/whoami", None, "404 M_UNRECOGNIZED"),
    ("a file", "mallory", "GET", "/../../../../etc/passwd", None, "404 M_UNRECOGNIZED"),
    ("a file, encoded", "mallory", "GET", "/%2e%2e%2f%2e%2e%2fetc%2fpasswd", None, "404 M_UNRECOGNIZED"),
    ("capitals", "mallory", "GET", "/_Matrix/client/v3/sync", None, "404 M_UNRECOGNIZED"),
    ("200 segments", "mallory", "GET", "/x" * 200, None, "404 M_UNRECOGNIZED"),
    ("a path of 60000 bytes", "mallory", "GET", V3 + "/profile/" + "x" * 60000, None, "414|404|400 M_TOO_LARGE|M_UNRECOGNIZED|M_INVALID_PARAM"),
    ("PATCH", "mallory", "PATCH", V3 + "/account/whoami", None, "405 M_UNRECOGNIZED"),
    ("DELETE of whoami", "mallory", "DELETE", V3 + "/account/whoami", None, "405 M_UNRECOGNIZED"),
    ("POST to sync", "mallory", "POST", V3 + "/sync", {}, "405 M_UNRECOGNIZED"),
    ("GET of createRoom", "mallory", "GET", V3 + "/createRoom", None, "405 M_UNRECOGNIZED"),
    ("PUT to messages", "mallory", "PUT", ROOM + "/messages", {}, "405 M_UNRECOGNIZED"),
    ("TRACE", "mallory", "TRACE", V3 + "/account/whoami", None, "405 M_UNRECOGNIZED"),
    ("a made-up method", "mallory", "FROBNICATE", V3 + "/account/whoami", None, "405 M_UNRECOGNIZED"),
    ("a lower-case method", "mallory", "get", V3 + "/account/whoami", None, "405 M_UNRECOGNIZED"),
    ("invalid UTF-8 in the path", "mallory", "GET", V3 + "/rooms/%ff%fe/state", None, "400 M_INVALID_PARAM"),
    ("a NUL in the path", "mallory", "GET", V3 + "/rooms/%00/state", None, "400 M_INVALID_PARAM"),
    ("a NUL behind a room id", "mallory", "GET", V3 + "/rooms/{control}%00/state", None, "400 M_INVALID_PARAM"),
    ("a NUL in an event type", "mallory", "PUT", OWN + "/send/m.room%00.message/{txn}", TEXT, "400 M_INVALID_PARAM"),
    ("a NUL in a state key", "mallory", "PUT", OWN + "/state/test/a%00b", {}, "400 M_INVALID_PARAM"),
    ("a percent sign alone", "mallory", "GET", V3 + "/rooms/%/state", None, "400 M_INVALID_PARAM"),
    ("a percent sign and a letter", "mallory", "GET", V3 + "/rooms/%zz/state", None, "400 M_INVALID_PARAM"),
    ("a surrogate in the path", "mallory", "GET", V3 + "/profile/%ed%a0%80", None, "400 M_INVALID_PARAM"),
    ("invalid UTF-8 in the query", "mallory", "GET", ROOM + "/messages?dir=%ff", None, "400 M_INVALID_PARAM"),
    ("a NUL in the query", "mallory", "GET", ROOM + "/messages?dir=b%00", None, "400 M_INVALID_PARAM"),
    ("a bad escape in the query", "mallory", "GET", ROOM + "/messages?dir=%b", None, "400 M_INVALID_PARAM"),
    ("a thousand query parameters", "mallory", "GET", ROOM + "/messages?" + "&".join(f"a{i}=1" for i in range(1000)), None,
     "400 M_INVALID_PARAM"),
]

READING = [
    ("messages without dir", "mallory", "GET", ROOM + "/messages", None, "400 M_MISSING_PARAM"),
    ("messages in a third direction", "mallory", "GET", ROOM + "/messages?dir=x", None, "400 M_INVALID_PARAM"),
    ("a negative limit", "mallory", "GET", ROOM + "/messages?dir=b&limit=-1", None, "400 M_INVALID_PARAM"),
    ("a limit that is no number", "mallory", "GET", ROOM + "/messages?dir=b&limit=ten", None, "400 M_INVALID_PARAM"),
    ("a fraction as limit", "mallory", "GET", ROOM + "/messages?dir=b&limit=1.5", None, "400 M_INVALID_PARAM"),
    ("a limit with spaces", "mallory", "GET", ROOM + "/messages?dir=b&limit=%201", None, "400 M_INVALID_PARAM"),
    ("a bad token in from", "mallory", "GET", ROOM + "/messages?dir=b&from=nonsense", None, "400 M_INVALID_PARAM"),
    ("a token with a tail", "mallory", "GET", ROOM + "/messages?dir=b&from=s1x", None, "400 M_INVALID_PARAM"),
    ("a token beyond 64 bits", "mallory", "GET", ROOM + "/messages?dir=b&from=s" + "9" * 30, None, "400 M_INVALID_PARAM"),
    ("a negative token", "mallory", "GET", ROOM + "/messages?dir=b&from=s-1", None, "400 M_INVALID_PARAM"),
    ("a bad filter for messages", "mallory", "GET", ROOM + "/messages?dir=b&filter=%7B", None, "400 M_NOT_JSON|M_INVALID_PARAM|M_BAD_JSON"),
    ("a filter of wrong types", "mallory", "GET", ROOM + "/messages?dir=b&filter=" + quote('{"types":1}'), None,
     "400 M_BAD_JSON|M_INVALID_PARAM"),
    ("sync since nonsense", "mallory", "GET", V3 + "/sync?since=nonsense", None, "400 M_INVALID_PARAM|M_UNKNOWN_POS"),
    ("sync since a negative position", "mallory", "GET", V3 + "/sync?since=s-5", None, "400 M_INVALID_PARAM|M_UNKNOWN_POS"),
    ("sync since 100 digits", "mallory", "GET", V3 + "/sync?since=s" + "1" * 100, None, "400 M_INVALID_PARAM|M_UNKNOWN_POS"),
    ("sync with an unknown filter", "mallory", "GET", V3 + "/sync?filter=999999", None, "400|404 M_INVALID_PARAM|M_NOT_FOUND|M_UNKNOWN"),
    ("sync with a broken filter", "mallory", "GET", V3 + "/sync?filter=%7B%22room", None, "400 M_NOT_JSON|M_INVALID_PARAM|M_BAD_JSON"),
    ("sync with a filter of wrong types", "mallory", "GET", V3 + "/sync?filter=" + quote('{"room":{"timeline":{"limit":"x"}}}'),
     None, "400 M_BAD_JSON|M_INVALID_PARAM"),
    ("sync with a timeout that is no number", "mallory", "GET", V3 + "/sync?timeout=soon", None, "400 M_INVALID_PARAM"),
    ("sync with a negative timeout", "mallory", "GET", V3 + "/sync?timeout=-1", None, "400 M_INVALID_PARAM"),
    ("sync with full_state=maybe", "mallory", "GET", V3 + "/sync?full_state=maybe", None, "400 M_INVALID_PARAM"),
    ("sync with an unknown presence", "mallory", "GET", V3 + "/sync?set_presence=asleep", None, "400 M_INVALID_PARAM"),
    ("context of no event", "mallory", "GET", ROOM + "/context/nonsense", None, "404 M_NOT_FOUND"),
    ("context with a negative limit", "mallory", "GET", ROOM + "/context/{event}?limit=-3", None, "400 M_INVALID_PARAM"),
    ("an event of another room", "mallory", "GET", OWN + "/event/{event}", None, "404 M_NOT_FOUND"),
    ("an event id of 300 bytes", "mallory", "GET", ROOM + "/event/$" + "x" * 300, None, "404|400 M_NOT_FOUND|M_INVALID_PARAM"),
    ("an event by a stranger", "eve", "GET", ROOM + "/event/{event}", None, "404|403 M_NOT_FOUND|M_FORBIDDEN"),
    ("messages by a stranger", "eve", "GET", ROOM + "/messages?dir=b", None, "403 M_FORBIDDEN"),
    ("state by a stranger", "eve", "GET", ROOM + "/state", None, "403 M_FORBIDDEN"),
    ("state of one key by a stranger", "eve", "GET", ROOM + "/state/m.room.name/", None, "403 M_FORBIDDEN"),
    ("members by a stranger", "eve", "GET", ROOM + "/members", None, "403 M_FORBIDDEN"),
    ("joined members by a stranger", "eve", "GET", ROOM + "/joined_members", None, "403 M_FORBIDDEN"),
    ("aliases by a stranger", "eve", "GET", ROOM + "/aliases", None, "403 M_FORBIDDEN"),
    ("members of an unknown membership", "mallory", "GET", ROOM + "/members?membership=dead", None, "400 M_INVALID_PARAM"),
    ("state of an unknown room", "mallory", "GET", V3 + "/rooms/!nowhere:school.example/state", None, "403|404 M_FORBIDDEN|M_NOT_FOUND"),
    ("state in an unknown format", "mallory", "GET", ROOM + "/state/m.room.name/?format=xml", None, "400 M_INVALID_PARAM"),
    ("state that is not there", "mallory", "GET", ROOM + "/state/m.room.nothing/", None, "404 M_NOT_FOUND"),
    ("timestamp_to_event without ts", "mallory", "GET", "/_matrix/client/v1/rooms/{control}/timestamp_to_event?dir=f", None,
     "400 M_MISSING_PARAM"),
    ("timestamp_to_event with words", "mallory", "GET", "/_matrix/client/v1/rooms/{control}/timestamp_to_event?dir=f&ts=now",
     None, "400 M_INVALID_PARAM"),
    ("relations of an unknown event", "mallory", "GET", "/_matrix/client/v1/rooms/{control}/relations/$nothing", None,
     "404 M_NOT_FOUND"),
    ("relations with a negative limit", "mallory", "GET", "/_matrix/client/v1/rooms/{control}/relations/{event}?limit=-1",
     None, "400 M_INVALID_PARAM"),
    ("threads of an unknown kind", "mallory", "GET", "/_matrix/client/v1/rooms/{control}/threads?include=some", None,
     "400 M_INVALID_PARAM"),
    ("hierarchy of an unknown room", "mallory", "GET", "/_matrix/client/v1/rooms/!nowhere:school.example/hierarchy", None,
     "403|404 M_FORBIDDEN|M_NOT_FOUND"),
    ("hierarchy by a stranger", "eve", "GET", "/_matrix/client/v1/rooms/{control}/hierarchy", None, "403 M_FORBIDDEN"),
    ("a profile of no user id", "mallory", "GET", V3 + "/profile/nonsense", None, "400 M_INVALID_PARAM"),
    ("a profile of nobody", "mallory", "GET", V3 + "/profile/@nobody:school.example", None, "404 M_NOT_FOUND"),
    ("a profile of another server", "mallory", "GET", V3 + "/profile/@nobody:other.example", None, "404|403 M_NOT_FOUND|M_FORBIDDEN"),
    ("a profile field of 300 bytes", "mallory", "GET", V3 + "/profile/{owner}/" + "k" * 300, None,
     "400 M_INVALID_PARAM|M_KEY_TOO_LARGE"),
    ("an alias that is none", "mallory", "GET", V3 + "/directory/room/nonsense", None, "400 M_INVALID_PARAM"),
    ("an unknown alias", "mallory", "GET", V3 + "/directory/room/%23nothing:school.example", None, "404 M_NOT_FOUND"),
    ("public rooms since nonsense", "mallory", "GET", V3 + "/publicRooms?since=nonsense", None, "400 M_INVALID_PARAM"),
    ("public rooms with a negative limit", "mallory", "GET", V3 + "/publicRooms?limit=-5", None, "400 M_INVALID_PARAM"),
    ("public rooms with wrong types", "mallory", "POST", V3 + "/publicRooms", {"filter": [], "limit": "x"}, "400 M_BAD_JSON"),
    ("an unknown filter", "mallory", "GET", V3 + "/user/{mallory}/filter/12345", None, "404 M_NOT_FOUND"),
    ("a filter id that is no number", "mallory", "GET", V3 + "/user/{mallory}/filter/abc", None, "404|400 M_NOT_FOUND|M_INVALID_PARAM"),
    ("another person's filter", "mallory", "GET", V3 + "/user/{owner}/filter/1", None, "403 M_FORBIDDEN"),
    ("another person's account data", "mallory", "GET", V3 + "/user/{owner}/account_data/test", None, "403 M_FORBIDDEN"),
    ("another person's tags", "mallory", "GET", V3 + "/user/{owner}/rooms/{control}/tags", None, "403 M_FORBIDDEN"),
    ("an unknown push rule", "mallory", "GET", V3 + "/pushrules/global/override/nothing", None, "404 M_NOT_FOUND"),
    ("an unknown kind of push rule", "mallory", "GET", V3 + "/pushrules/global/nothing/.m.rule.master", None, "404|400 M_NOT_FOUND|M_INVALID_PARAM"),
]

SENDING = [
    ("a message to a room one is not in", "eve", "PUT", ROOM + "/send/m.room.message/{txn}", TEXT, "403 M_FORBIDDEN"),
    ("a message to an unknown room", "mallory", "PUT", V3 + "/rooms/!nowhere:school.example/send/m.room.message/{txn}", TEXT,
     "403|404 M_FORBIDDEN|M_NOT_FOUND"),
    ("a message to a room id that is none", "mallory", "PUT", V3 + "/rooms/nonsense/send/m.room.message/{txn}", TEXT,
     "403|404|400 M_FORBIDDEN|M_NOT_FOUND|M_INVALID_PARAM"),
    ("a message to an alias", "mallory", "PUT", V3 + "/rooms/%23control:school.example/send/m.room.message/{txn}", TEXT,
     "403|404|400 M_FORBIDDEN|M_NOT_FOUND|M_INVALID_PARAM"),
    ("a room id of 300 bytes", "mallory", "PUT", V3 + "/rooms/!" + "x" * 300 + "/send/m.room.message/{txn}", TEXT,
     "403|404|400 M_FORBIDDEN|M_NOT_FOUND|M_INVALID_PARAM"),
    ("a type of 256 bytes", "mallory", "PUT", OWN + "/send/" + LONG + "/{txn}", TEXT, "413|400 M_TOO_LARGE"),
    ("a type of 256 bytes in 128 letters", "mallory", "PUT", OWN + "/send/" + quote("ё" * 128) + "/{txn}", TEXT, "413|400 M_TOO_LARGE"),
    ("a transaction id of 300 bytes", "mallory", "PUT", OWN + "/send/m.room.message/" + "t" * 300, TEXT, "400 M_INVALID_PARAM"),
    ("a state key of 256 bytes", "mallory", "PUT", OWN + "/state/test/" + LONG, {}, "413|400 M_TOO_LARGE"),
    ("an event of 65536 bytes", "mallory", "PUT", SEND, {"msgtype": "m.text", "body": "x" * 65536}, "413 M_TOO_LARGE"),
    ("an event that is too large escaped", "mallory", "PUT", SEND, {"msgtype": "m.text", "body": "\u0001" * 20000},
     "413 M_TOO_LARGE"),
    ("state that is too large", "mallory", "PUT", OWN + "/state/test/", {"x": ["y" * 1000] * 70}, "413 M_TOO_LARGE"),
    ("m.room.create as state", "mallory", "PUT", OWN + "/state/m.room.create/", {"creator": "{mallory}"}, "403|400 M_FORBIDDEN|M_BAD_JSON|M_INVALID_PARAM"),
    ("m.room.create with a state key", "mallory", "PUT", OWN + "/state/m.room.create/again", {"room_version": "1"},
     "403|400 M_FORBIDDEN|M_BAD_JSON|M_INVALID_PARAM"),
    ("m.room.create as a message", "mallory", "PUT", OWN + "/send/m.room.create/{txn}", {"room_version": "1"},
     "403|400 M_FORBIDDEN|M_BAD_JSON|M_INVALID_PARAM"),
    ("m.room.member as a message", "mallory", "PUT", OWN + "/send/m.room.member/{txn}", {"membership": "join"},
     "403|400 M_FORBIDDEN|M_BAD_JSON|M_INVALID_PARAM"),
    ("a join for another", "mallory", "PUT", OWN + "/state/m.room.member/{eve}", {"membership": "join"}, "403 M_FORBIDDEN"),
    ("a join of somebody unknown", "mallory", "PUT", OWN + "/state/m.room.member/@nobody:school.example", {"membership": "join"},
     "403|404 M_FORBIDDEN|M_NOT_FOUND"),
    ("an invite of another server's user", "mallory", "PUT", OWN + "/state/m.room.member/@x:other.example",
     {"membership": "invite"}, "403|404|400 M_FORBIDDEN|M_NOT_FOUND|M_INVALID_PARAM"),
    ("a join of a stranger through state", "eve", "PUT", ROOM + "/state/m.room.member/{eve}", {"membership": "join"},
     "403 M_FORBIDDEN"),
    ("a forged authorisation of a join", "eve", "PUT", V3 + "/rooms/{restricted}/state/m.room.member/{eve}",
     {"membership": "join", "join_authorised_via_users_server": "{owner}"}, "403 M_FORBIDDEN"),
    ("a restricted join by somebody outside", "eve", "POST", V3 + "/rooms/{restricted}/join",
     {"join_authorised_via_users_server": "{owner}"}, "403 M_FORBIDDEN"),
    ("an invite of oneself", "eve", "PUT", ROOM + "/state/m.room.member/{eve}", {"membership": "invite"}, "403 M_FORBIDDEN"),
    ("an unknown membership", "mallory", "PUT", OWN + "/state/m.room.member/{mallory}", {"membership": "emperor"},
     "400|403 M_BAD_JSON|M_FORBIDDEN|M_INVALID_PARAM"),
    ("a membership that is a number", "mallory", "PUT", OWN + "/state/m.room.member/{mallory}", {"membership": 1}, "400 M_BAD_JSON"),
    ("no membership", "mallory", "PUT", OWN + "/state/m.room.member/{mallory}", {}, "400 M_BAD_JSON"),
    ("a member that is no user id", "mallory", "PUT", OWN + "/state/m.room.member/nonsense", {"membership": "invite"},
     "403|404|400 M_FORBIDDEN|M_NOT_FOUND|M_INVALID_PARAM|M_BAD_JSON"),
    ("the owner kicked through state", "mallory", "PUT", ROOM + "/state/m.room.member/{owner}", {"membership": "leave"},
     "403 M_FORBIDDEN"),
    ("the owner banned through state", "mallory", "PUT", ROOM + "/state/m.room.member/{owner}", {"membership": "ban"},
     "403 M_FORBIDDEN"),
    ("a name without the power", "mallory", "PUT", ROOM + "/state/m.room.name/", {"name": "mine"}, "403 M_FORBIDDEN"),
    ("power for oneself", "mallory", "PUT", ROOM + "/state/m.room.power_levels/", {"users": {"{mallory}": 100}}, "403 M_FORBIDDEN"),
    ("the creator in the power levels", "owner", "PUT", ROOM + "/state/m.room.power_levels/", {"users": {"{owner}": 100}},
     "403|400 M_FORBIDDEN|M_BAD_JSON"),
    ("power levels as strings", "owner", "PUT", ROOM + "/state/m.room.power_levels/", {"users": {"{mallory}": "100"}},
     "403|400 M_FORBIDDEN|M_BAD_JSON"),
    ("power levels of nobody", "owner", "PUT", ROOM + "/state/m.room.power_levels/", {"users": {"nonsense": 1}},
     "403|400 M_FORBIDDEN|M_BAD_JSON"),
    ("power levels that are an array", "owner", "PUT", ROOM + "/state/m.room.power_levels/", {"users": []},
     "403|400 M_FORBIDDEN|M_BAD_JSON"),
    ("another person's state key", "owner", "PUT", ROOM + "/state/test/{mallory}", {}, "403 M_FORBIDDEN"),
    ("an alias that is another room's", "mallory", "PUT", OWN + "/state/m.room.canonical_alias/", {"alias": "{alias}"},
     "400 M_BAD_ALIAS"),
    ("an alias that does not exist", "mallory", "PUT", OWN + "/state/m.room.canonical_alias/",
     {"alias": "#nothing:school.example"}, "400 M_BAD_ALIAS"),
    ("an alternative alias of another room", "mallory", "PUT", OWN + "/state/m.room.canonical_alias/",
     {"alt_aliases": ["{alias}"]}, "400 M_BAD_ALIAS"),
    ("an alias that is none", "mallory", "PUT", OWN + "/state/m.room.canonical_alias/", {"alias": "nonsense"},
     "400 M_INVALID_PARAM"),
    ("an alias that is a number", "mallory", "PUT", OWN + "/state/m.room.canonical_alias/", {"alias": 1}, "400 M_INVALID_PARAM|M_BAD_JSON"),
    ("alternative aliases that are a string", "mallory", "PUT", OWN + "/state/m.room.canonical_alias/",
     {"alt_aliases": "{alias}"}, "400 M_INVALID_PARAM|M_BAD_JSON|M_BAD_ALIAS"),
    ("a redaction of another's event", "mallory", "PUT", ROOM + "/redact/{event}/{txn}", {}, "403 M_FORBIDDEN"),
    ("the same sent as an event", "mallory", "PUT", ROOM + "/send/m.room.redaction/{txn}", {"redacts": "{event}"},
     "403 M_FORBIDDEN"),
    ("a redaction of an event of another room", "mallory", "PUT", OWN + "/redact/{event}/{txn}", {}, "404|403|400 M_NOT_FOUND|M_FORBIDDEN"),
    ("a redaction of nothing", "mallory", "PUT", OWN + "/redact/$nothing/{txn}", {}, "404 M_NOT_FOUND"),
    ("a redaction of no event id", "mallory", "PUT", OWN + "/redact/nonsense/{txn}", {}, "404|400 M_NOT_FOUND|M_INVALID_PARAM"),
    ("a redaction by a stranger", "eve", "PUT", ROOM + "/redact/{event}/{txn}", {}, "403|404 M_FORBIDDEN|M_NOT_FOUND"),
    ("a redaction with a number as reason", "mallory", "PUT", OWN + "/redact/{scratch_event}/{txn}", {"reason": 7}, "400 M_BAD_JSON"),
    ("a redaction event without redacts", "mallory", "PUT", OWN + "/send/m.room.redaction/{txn}", {}, "400 M_MISSING_PARAM|M_BAD_JSON"),
]

MEMBERSHIP = [
    ("an invite without a user", "mallory", "POST", OWN + "/invite", {}, "400 M_MISSING_PARAM|M_BAD_JSON"),
    ("an invite of a number", "mallory", "POST", OWN + "/invite", {"user_id": 7}, "400 M_BAD_JSON|M_INVALID_PARAM"),
    ("an invite of no user id", "mallory", "POST", OWN + "/invite", {"user_id": "nonsense"}, "400 M_INVALID_PARAM|M_BAD_JSON"),
    ("an invite of nobody", "mallory", "POST", OWN + "/invite", {"user_id": "@nobody:school.example"}, "404 M_NOT_FOUND"),
    ("an invite of another server", "mallory", "POST", OWN + "/invite", {"user_id": "@a:other.example"},
     "404|403|400 M_NOT_FOUND|M_FORBIDDEN|M_INVALID_PARAM"),
    ("an invite of a user id of 300 bytes", "mallory", "POST", OWN + "/invite", {"user_id": "@" + "x" * 300 + ":school.example"},
     "400 M_INVALID_PARAM|M_BAD_JSON"),
    ("an invite of a member", "mallory", "POST", ROOM + "/invite", {"user_id": "{owner}"}, "403 M_FORBIDDEN"),
    ("an invite by a stranger", "eve", "POST", ROOM + "/invite", {"user_id": "{eve}"}, "403 M_FORBIDDEN"),
    ("an invite by e-mail", "mallory", "POST", OWN + "/invite", {"id_server": "x", "id_access_token": "y", "medium": "email", "address": "a@b"},
     "403|400 M_THREEPID_DENIED|M_UNRECOGNIZED"),
    ("a kick of the owner", "mallory", "POST", ROOM + "/kick", {"user_id": "{owner}"}, "403 M_FORBIDDEN"),
    ("a kick of nobody", "mallory", "POST", OWN + "/kick", {"user_id": "@nobody:school.example"}, "404|403 M_NOT_FOUND|M_FORBIDDEN"),
    ("a kick of somebody who is not there", "mallory", "POST", OWN + "/kick", {"user_id": "{eve}"}, "403 M_FORBIDDEN"),
    ("a ban of the owner", "mallory", "POST", ROOM + "/ban", {"user_id": "{owner}"}, "403 M_FORBIDDEN"),
    ("a ban of oneself", "mallory", "POST", OWN + "/ban", {"user_id": "{mallory}"}, "403 M_FORBIDDEN"),
    ("an unban of somebody not banned", "mallory", "POST", OWN + "/unban", {"user_id": "{eve}"}, "403 M_FORBIDDEN|M_BAD_STATE"),
    ("an unban by a stranger", "eve", "POST", ROOM + "/unban", {"user_id": "{mallory}"}, "403 M_FORBIDDEN"),
    ("a join of a private room", "eve", "POST", ROOM + "/join", {}, "403 M_FORBIDDEN"),
    ("a join by its alias", "eve", "POST", V3 + "/join/{alias}", {}, "403 M_FORBIDDEN"),
    ("a join of nothing", "eve", "POST", V3 + "/join/!nowhere:school.example", {}, "404|403 M_NOT_FOUND|M_FORBIDDEN"),
    ("a join of nonsense", "eve", "POST", V3 + "/join/nonsense", {}, "404|403|400 M_NOT_FOUND|M_FORBIDDEN|M_INVALID_PARAM"),
    ("a join of another server's room", "eve", "POST", V3 + "/join/!a:other.example?server_name=other.example", {},
     "404|403 M_NOT_FOUND|M_FORBIDDEN"),
    ("a join with a third-party invite", "eve", "POST", ROOM + "/join", {"third_party_signed": {
        "sender": "{owner}", "mxid": "{eve}", "token": "x", "signatures": {}}}, "403 M_FORBIDDEN|M_THREEPID_DENIED"),
    ("a join with a number as reason", "mallory", "POST", ROOM + "/join", {"reason": 7}, "400 M_BAD_JSON"),
    ("a knock where none is heard", "eve", "POST", V3 + "/knock/{control}", {}, "403 M_FORBIDDEN"),
    ("a leave of a stranger", "eve", "POST", ROOM + "/leave", {}, "403|404 M_FORBIDDEN|M_NOT_FOUND"),
    ("a leave with a huge reason", "mallory", "POST", OWN + "/leave", {"reason": "x" * 100000}, "400|413 M_TOO_LARGE|M_INVALID_PARAM|M_BAD_JSON"),
    ("forgetting a room one is in", "mallory", "POST", OWN + "/forget", {}, "400 M_UNKNOWN"),
    ("a receipt in a room one is not in", "eve", "POST", ROOM + "/receipt/m.read/{event}", {}, "403|404 M_FORBIDDEN|M_NOT_FOUND"),
    ("a receipt of an unknown kind", "mallory", "POST", OWN + "/receipt/m.admired/{scratch_event}", {}, "400 M_INVALID_PARAM|M_BAD_JSON|M_UNRECOGNIZED"),
    ("a receipt with a number as thread", "mallory", "POST", OWN + "/receipt/m.read/{scratch_event}", {"thread_id": 5},
     "400 M_BAD_JSON|M_INVALID_PARAM"),
    ("typing for another", "mallory", "PUT", ROOM + "/typing/{owner}", {"typing": True, "timeout": 1000}, "403 M_FORBIDDEN"),
    ("typing by a stranger", "eve", "PUT", ROOM + "/typing/{eve}", {"typing": True, "timeout": 1000}, "403 M_FORBIDDEN"),
    ("typing with words", "mallory", "PUT", OWN + "/typing/{mallory}", {"typing": "yes"}, "400 M_BAD_JSON"),
    ("typing without saying so", "mallory", "PUT", OWN + "/typing/{mallory}", {}, "400 M_MISSING_PARAM|M_BAD_JSON"),
    ("an alias of somebody else deleted", "mallory", "DELETE", V3 + "/directory/room/{alias}", None, "403 M_FORBIDDEN"),
    ("an alias taken over", "mallory", "PUT", V3 + "/directory/room/{alias}", {"room_id": "{scratch}"}, "409|400 M_UNKNOWN|M_ROOM_IN_USE"),
    ("an alias of another server", "mallory", "PUT", V3 + "/directory/room/%23a:other.example", {"room_id": "{scratch}"},
     "400|403 M_INVALID_PARAM|M_FORBIDDEN"),
    ("an alias for a room of others", "eve", "PUT", V3 + "/directory/room/%23new:school.example", {"room_id": "{control}"},
     "403|404 M_FORBIDDEN|M_NOT_FOUND"),
    ("an alias without a room", "mallory", "PUT", V3 + "/directory/room/%23new:school.example", {}, "400 M_MISSING_PARAM|M_BAD_JSON"),
    ("an alias of 300 bytes", "mallory", "PUT", V3 + "/directory/room/%23" + "x" * 300 + ":school.example",
     {"room_id": "{scratch}"}, "400 M_INVALID_PARAM"),
    ("publishing another's room", "mallory", "PUT", V3 + "/directory/list/room/{control}", {"visibility": "public"}, "403 M_FORBIDDEN"),
    ("publishing with an unknown visibility", "mallory", "PUT", V3 + "/directory/list/room/{scratch}", {"visibility": "maybe"},
     "400 M_INVALID_PARAM|M_BAD_JSON"),
    ("an upgrade without the power", "mallory", "POST", ROOM + "/upgrade", {"new_version": "11"}, "403 M_FORBIDDEN"),
    ("an upgrade to an unknown version", "mallory", "POST", OWN + "/upgrade", {"new_version": "99"},
     "400 M_UNSUPPORTED_ROOM_VERSION"),
    ("an upgrade without a version", "mallory", "POST", OWN + "/upgrade", {}, "400 M_MISSING_PARAM|M_BAD_JSON"),
]

CREATING = [(f"createRoom with {name}", "mallory", "POST", V3 + "/createRoom", body, expected) for name, body, expected in (
    ("an unknown version", {"room_version": "99"}, "400 M_UNSUPPORTED_ROOM_VERSION"),
    ("a version that is a number", {"room_version": 10}, "400 M_BAD_JSON|M_UNSUPPORTED_ROOM_VERSION"),
    ("an unknown preset", {"preset": "party"}, "400 M_INVALID_PARAM|M_BAD_JSON"),
    ("a preset that is an array", {"preset": []}, "400 M_BAD_JSON"),
    ("an unknown visibility", {"visibility": "hidden"}, "400 M_INVALID_PARAM|M_BAD_JSON"),
    ("a name that is an object", {"name": {}}, "400 M_BAD_JSON"),
    ("a name that is too long", {"name": "x" * 70000}, "400 M_INVALID_PARAM"),
    ("an alias that is taken", {"room_alias_name": "control"}, "400 M_ROOM_IN_USE"),
    ("an alias with a colon", {"room_alias_name": "a:b"}, "400 M_INVALID_PARAM"),
    ("an empty alias", {"room_alias_name": ""}, "400 M_INVALID_PARAM"),
    ("an alias that is too long", {"room_alias_name": "x" * 300}, "400 M_INVALID_PARAM"),
    ("a whole alias", {"room_alias_name": "#a:school.example"}, "400 M_INVALID_PARAM"),
    ("an alias that is a number", {"room_alias_name": 7}, "400 M_BAD_JSON"),
    ("invites that are a string", {"invite": "{eve}"}, "400 M_BAD_JSON"),
    ("an invite that is a number", {"invite": [7]}, "400 M_INVALID_PARAM|M_BAD_JSON"),
    ("an invite of nonsense", {"invite": ["nonsense"]}, "400 M_INVALID_PARAM|M_BAD_JSON"),
    ("an invite of nobody", {"invite": ["@nobody:school.example"]}, "404|400 M_NOT_FOUND|M_INVALID_PARAM"),
    ("a good invite and one of nobody", {"invite": ["{owner}", "@nobody:school.example"]}, "404|400 M_NOT_FOUND|M_INVALID_PARAM"),
    ("an invite of oneself", {"invite": ["{mallory}"]}, "403|400 M_FORBIDDEN|M_INVALID_PARAM"),
    ("10000 invites", {"invite": ["{eve}"] * 10000}, "400 M_INVALID_PARAM|M_BAD_JSON"),
    ("an invite by e-mail", {"invite_3pid": [{"medium": "email"}]}, "403 M_THREEPID_DENIED"),
    ("initial state that is an object", {"initial_state": {}}, "400 M_BAD_JSON"),
    ("initial state of numbers", {"initial_state": [1]}, "400 M_BAD_JSON|M_INVALID_ROOM_STATE"),
    ("initial state without a type", {"initial_state": [{"content": {}}]}, "400 M_BAD_JSON|M_MISSING_PARAM"),
    ("initial state without content", {"initial_state": [{"type": "m.room.name"}]}, "400 M_BAD_JSON|M_MISSING_PARAM"),
    ("a state key that is a number", {"initial_state": [{"type": "t", "state_key": 1, "content": {}}]}, "400 M_BAD_JSON"),
    ("a second m.room.create", {"initial_state": [{"type": "m.room.create", "content": {}}]}, "400 M_INVALID_ROOM_STATE|M_BAD_JSON"),
    ("a member in the initial state", {"initial_state": [
        {"type": "m.room.member", "state_key": "{owner}", "content": {"membership": "join"}}]}, "400 M_INVALID_ROOM_STATE|M_BAD_JSON"),
    ("another's state key", {"initial_state": [{"type": "t", "state_key": "{owner}", "content": {}}]},
     "400 M_INVALID_ROOM_STATE"),
    ("a type of 256 bytes", {"initial_state": [{"type": LONG, "content": {}}]}, "413|400 M_TOO_LARGE"),
    ("10000 pieces of initial state", {"initial_state": [{"type": "t", "content": {}}] * 10000}, "400 M_INVALID_PARAM|M_BAD_JSON"),
    ("a lie about the canonical alias", {"initial_state": [
        {"type": "m.room.canonical_alias", "content": {"alias": "{alias}"}}]}, "400 M_BAD_ALIAS|M_INVALID_ROOM_STATE"),
    ("power levels that lock the creator out", {"room_version": "11", "name": "x", "power_level_content_override": {
        "users": {"{mallory}": 0}}}, "400 M_INVALID_ROOM_STATE"),
    ("power levels of strings", {"power_level_content_override": {"ban": "high"}}, "400 M_INVALID_ROOM_STATE|M_BAD_JSON"),
    ("power levels that name the creator", {"power_level_content_override": {"users": {"{mallory}": 100}}},
     "400 M_INVALID_ROOM_STATE|M_BAD_JSON"),
    ("power levels that are a string", {"power_level_content_override": "none"}, "400 M_BAD_JSON"),
    ("floats in the power levels", {"power_level_content_override": {"ban": 1.5}}, "400 M_BAD_JSON|M_INVALID_ROOM_STATE"),
    ("creation content that is an array", {"creation_content": []}, "400 M_BAD_JSON"),
    ("additional creators that are nonsense", {"creation_content": {"additional_creators": ["nonsense"]}},
     "400 M_INVALID_PARAM|M_BAD_JSON|M_INVALID_ROOM_STATE"),
    ("additional creators that are a string", {"creation_content": {"additional_creators": "{owner}"}},
     "400 M_INVALID_PARAM|M_BAD_JSON|M_INVALID_ROOM_STATE"),
    ("creation content that is too large", {"creation_content": {"x": "y" * 70000}}, "413 M_TOO_LARGE"),
    ("is_direct that is a string", {"is_direct": "yes"}, "400 M_BAD_JSON"),
)]

ACCOUNTS = [
    ("a login without a type", "nobody", "POST", V3 + "/login", {}, "400 M_MISSING_PARAM|M_BAD_JSON"),
    ("a login of an unknown type", "nobody", "POST", V3 + "/login", {"type": "m.login.magic"}, "400 M_UNKNOWN|M_UNRECOGNIZED"),
    ("a login without a password", "nobody", "POST", V3 + "/login", {
        "type": "m.login.password", "identifier": {"type": "m.id.user", "user": "owner"}}, "400 M_MISSING_PARAM|M_BAD_JSON"),
    ("a login with a wrong password", "nobody", "POST", V3 + "/login", {
        "type": "m.login.password", "identifier": {"type": "m.id.user", "user": "owner"}, "password": "x"}, "403 M_FORBIDDEN"),
    ("a login of nobody", "nobody", "POST", V3 + "/login", {
        "type": "m.login.password", "identifier": {"type": "m.id.user", "user": "nobody"}, "password": "x"}, "403 M_FORBIDDEN"),
    ("a login of another server's user", "nobody", "POST", V3 + "/login", {
        "type": "m.login.password", "identifier": {"type": "m.id.user", "user": "@owner:other.example"}, "password": "x"},
     "403 M_FORBIDDEN"),
    ("a login with a huge password", "nobody", "POST", V3 + "/login", {
        "type": "m.login.password", "identifier": {"type": "m.id.user", "user": "owner"}, "password": "x" * 500000},
     "403|400 M_FORBIDDEN|M_INVALID_PARAM"),
    ("a login with a device id of 10000 bytes", "nobody", "POST", V3 + "/login", {
        "type": "m.login.password", "identifier": {"type": "m.id.user", "user": "mallory"}, "password": "mallory-password",
        "device_id": "d" * 10000}, "400 M_INVALID_PARAM|M_BAD_JSON"),
    ("a login with an identifier that is a string", "nobody", "POST", V3 + "/login", {
        "type": "m.login.password", "identifier": "owner", "password": "x"}, "400 M_MISSING_PARAM|M_BAD_JSON"),
    ("a login by telephone", "nobody", "POST", V3 + "/login", {
        "type": "m.login.password", "identifier": {"type": "m.id.phone", "country": "RU", "phone": "1"}, "password": "x"},
     "403|400 M_FORBIDDEN|M_UNKNOWN|M_UNRECOGNIZED"),
    ("a refresh with nonsense", "nobody", "POST", V3 + "/refresh", {"refresh_token": "nonsense"}, "401 M_UNKNOWN_TOKEN"),
    ("a refresh without a token", "nobody", "POST", V3 + "/refresh", {}, "400 M_MISSING_PARAM|M_BAD_JSON"),
    ("whether a bad name is free", "nobody", "GET", V3 + "/register/available?username=A%20b", None, "400 M_INVALID_USERNAME"),
    ("whether a taken name is free", "nobody", "GET", V3 + "/register/available?username=owner", None, "400 M_USER_IN_USE"),
    ("whether no name is free", "nobody", "GET", V3 + "/register/available", None, "400 M_MISSING_PARAM"),
    ("a guest", "nobody", "POST", V3 + "/register?kind=guest", {}, "403 M_GUEST_ACCESS_FORBIDDEN|M_FORBIDDEN"),
    ("an unknown kind of account", "nobody", "POST", V3 + "/register?kind=king", {}, "400 M_INVALID_PARAM"),
    ("a short password", "nobody", "POST", V3 + "/register", {"username": "new", "password": "x"}, "400 M_WEAK_PASSWORD"),
    ("a shared-secret account without a nonce", "nobody", "POST", "/_synapse/admin/v1/register",
     {"username": "a", "password": "abcdefgh", "mac": "0"}, "400 M_MISSING_PARAM|M_BAD_JSON"),
    ("a shared-secret account with a made-up nonce", "nobody", "POST", "/_synapse/admin/v1/register",
     {"nonce": "x", "username": "a", "password": "abcdefgh", "admin": True, "mac": "0" * 40}, "400 M_INVALID_PARAM|M_UNKNOWN"),
    ("another person's profile", "mallory", "PUT", V3 + "/profile/{owner}/displayname", {"displayname": "fool"}, "403 M_FORBIDDEN"),
    ("a display name that is a number", "mallory", "PUT", V3 + "/profile/{mallory}/displayname", {"displayname": 7},
     "400 M_BAD_JSON|M_INVALID_PARAM"),
    ("a display name of 100000 bytes", "mallory", "PUT", V3 + "/profile/{mallory}/displayname", {"displayname": "x" * 100000},
     "400|413 M_INVALID_PARAM|M_TOO_LARGE|M_PROFILE_TOO_LARGE"),
    ("a profile field without its value", "mallory", "PUT", V3 + "/profile/{mallory}/displayname", {}, "400 M_MISSING_PARAM|M_BAD_JSON"),
    ("a profile field of 65 KiB", "mallory", "PUT", V3 + "/profile/{mallory}/org.example.x", {"org.example.x": "y" * 66000},
     "400 M_PROFILE_TOO_LARGE"),
    ("a profile field with a bad name", "mallory", "PUT", V3 + "/profile/{mallory}/No%20Name", {"No Name": 1}, "400 M_INVALID_PARAM"),
    ("a profile field with a long name", "mallory", "PUT", V3 + "/profile/{mallory}/" + LONG, {LONG: 1}, "400 M_KEY_TOO_LARGE"),
    ("another person's account data", "mallory", "PUT", V3 + "/user/{owner}/account_data/test", {"x": 1}, "403 M_FORBIDDEN"),
    ("push rules as account data", "mallory", "PUT", V3 + "/user/{mallory}/account_data/m.push_rules", {"global": {}}, "405 M_BAD_JSON"),
    ("m.fully_read as account data", "mallory", "PUT", V3 + "/user/{mallory}/rooms/{scratch}/account_data/m.fully_read",
     {"event_id": "$x"}, "405 M_BAD_JSON"),
    ("account data of 70000 bytes", "mallory", "PUT", V3 + "/user/{mallory}/account_data/test", {"x": "y" * 70000}, "413|400 M_TOO_LARGE"),
    ("account data with a type of 300 bytes", "mallory", "PUT", V3 + "/user/{mallory}/account_data/" + "t" * 300, {}, "400 M_INVALID_PARAM|M_TOO_LARGE"),
    ("account data of a room one is not in", "eve", "PUT", V3 + "/user/{eve}/rooms/{control}/account_data/test", {}, "404|403 M_NOT_FOUND|M_FORBIDDEN"),
    ("account data of no room", "mallory", "PUT", V3 + "/user/{mallory}/rooms/nonsense/account_data/test", {}, "400 M_INVALID_PARAM"),
    ("a tag with an order of 7", "mallory", "PUT", V3 + "/user/{mallory}/rooms/{scratch}/tags/u.x", {"order": 7}, "400 M_INVALID_PARAM|M_BAD_JSON"),
    ("a tag with a word as order", "mallory", "PUT", V3 + "/user/{mallory}/rooms/{scratch}/tags/u.x", {"order": "first"},
     "400 M_INVALID_PARAM|M_BAD_JSON"),
    ("a tag of 300 bytes", "mallory", "PUT", V3 + "/user/{mallory}/rooms/{scratch}/tags/" + "t" * 300, {}, "400 M_INVALID_PARAM|M_TOO_LARGE"),
    ("a filter with a negative limit", "mallory", "POST", V3 + "/user/{mallory}/filter", {"room": {"timeline": {"limit": -1}}}, "400 M_BAD_JSON|M_INVALID_PARAM"),
    ("a filter of another person", "mallory", "POST", V3 + "/user/{owner}/filter", {}, "403 M_FORBIDDEN"),
    ("a filter with users that are none", "mallory", "POST", V3 + "/user/{mallory}/filter", {"room": {"timeline": {"senders": [7]}}},
     "400 M_BAD_JSON"),
    ("an unknown device", "mallory", "GET", V3 + "/devices/NOTHING", None, "404 M_NOT_FOUND"),
    ("an unknown device renamed", "mallory", "PUT", V3 + "/devices/NOTHING", {"display_name": "x"}, "404 M_NOT_FOUND"),
    ("a device's name that is a number", "mallory", "PUT", V3 + "/devices/{device}", {"display_name": 7}, "400 M_BAD_JSON"),
    ("a device's name of 10000 bytes", "mallory", "PUT", V3 + "/devices/{device}", {"display_name": "x" * 10000}, "400|413 M_INVALID_PARAM|M_TOO_LARGE"),
    ("a push rule without actions", "mallory", "PUT", V3 + "/pushrules/global/content/mine", {"pattern": "x"}, "400 M_MISSING_PARAM|M_BAD_JSON|M_INVALID_PARAM"),
    ("a push rule of the server", "mallory", "PUT", V3 + "/pushrules/global/override/.m.rule.mine", {"conditions": [], "actions": []},
     "400 M_INVALID_PARAM|M_UNKNOWN"),
    ("a push rule with a slash", "mallory", "PUT", V3 + "/pushrules/global/override/a%2Fb", {"conditions": [], "actions": []},
     "400 M_INVALID_PARAM|M_UNKNOWN"),
    ("a push rule with bad conditions", "mallory", "PUT", V3 + "/pushrules/global/override/mine", {"conditions": 7, "actions": []},
     "400 M_BAD_JSON|M_INVALID_PARAM"),
    ("a push rule before nothing", "mallory", "PUT", V3 + "/pushrules/global/override/mine?before=nothing",
     {"conditions": [], "actions": []}, "404|400 M_NOT_FOUND|M_UNKNOWN|M_INVALID_PARAM"),
    ("a default push rule deleted", "mallory", "DELETE", V3 + "/pushrules/global/override/.m.rule.master", None,
     "400|404|403 M_INVALID_PARAM|M_NOT_FOUND|M_UNKNOWN|M_FORBIDDEN"),
    ("an unknown push rule switched on", "mallory", "PUT", V3 + "/pushrules/global/override/nothing/enabled", {"enabled": True},
     "404 M_NOT_FOUND"),
    ("a push rule switched on with a word", "mallory", "PUT", V3 + "/pushrules/global/override/.m.rule.master/enabled",
     {"enabled": "yes"}, "400 M_BAD_JSON|M_INVALID_PARAM"),
    ("a telephone number", "mallory", "POST", V3 + "/account/3pid/add", {"client_secret": "x", "sid": "y"}, "403 M_THREEPID_DENIED|M_FORBIDDEN"),
]

# A new account's name (Appendices, "User Identifiers").
LOCALPARTS = ["", "Ünï", "a b", "a:b", "@a", "@a:school.example", "a\tb", "a\nb", "x" * 250, "а", "a'b", "a\"b", "a%00b", "$a",
              "a\u202eb", "💩"]


def localparts():
    for name in LOCALPARTS:
        yield (f"an account called {ascii(name)[:30]}", "nobody", "POST", V3 + "/register",
               {"username": name, "password": "a password", "auth": {"type": "m.login.dummy"}}, "400 M_INVALID_USERNAME")
    yield ("a taken name", "nobody", "POST", V3 + "/register",
           {"username": "owner", "password": "a password", "auth": {"type": "m.login.dummy"}}, "400 M_USER_IN_USE")
    for what, body in (("a number as name", {"username": 7}), ("a list as password", {"username": "new", "password": []}),
                       ("a list as auth", {"username": "new", "password": "a password", "auth": []})):
        yield f"an account with {what}", "nobody", "POST", V3 + "/register", body, "400 M_BAD_JSON"


def all_cases():
    yield from TOKENS + PATHS + READING + SENDING + MEMBERSHIP + CREATING + ACCOUNTS
    yield from localparts()
    yield from bodies()
    yield from numbers()
