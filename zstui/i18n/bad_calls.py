"""What keeps a call from getting in, in the appliance's English words: its form, its caller, its conditions."""

from __future__ import annotations

from zstui.i18n import mark

BAD_CALLS = (
    mark("a list"),
    mark("an object"),
    mark("a single value"),
    mark("true or false"),
    mark("a whole number"),
    mark("{requests} is no request to a host; those are {known}"),
    mark("{word} is not a number from 0 to {most}, nor VERB=number"),
    mark("no message is called {name}; `zstui api` lists those that are"),
    mark("{message} has no parameter {name}; it has {known}"),
    mark("the body is no JSON object; send {shape}"),
    mark("the body is nested deeper than {limit} levels"),
    mark("the body is no JSON: {cause}"),
    mark("the call is nested deeper than {limit} levels"),
    mark("{value} is no number that a call can hold"),
    mark("field[{field}] holds half a surrogate pair, which is no character; leave it out"),
    mark("the name of a field holds half a surrogate pair, which is no character; leave it out"),
    mark("field[{field}] holds the control character U+0000 as character {place}; leave it out"),
    mark("the name of a field holds the control character U+0000 in {value}; leave it out"),
    mark("the name of a field holds the control character U+0000 as character {place}; leave it out"),
    mark(
        "field[resourceUuid] of message[{message}] is {value}, which is no uuid: it must be a version 1 to 5 uuid "
        "in lower case without dashes"
    ),
    mark("{message} is a message of ZStack 1.0 that is not built here yet"),
    mark("{message} is a form from before ZStack's queries; {query} answers it, and more"),
    mark("{address} is no address; write http://HOST:PORT"),
    mark("{message} is answered at once; it is no job"),
    mark("job[uuid:{uuid}] still runs after {seconds} s"),
    mark("the {kind} console of VM[uuid:{uuid}] was closed while it was opened (HTTP {status}); try again"),
    mark("the call is {length} bytes long; an appliance takes {limit}"),
    mark("the answer (HTTP {status}) is no object: {answer}"),
    mark("the answer (HTTP {status}) is no JSON: {answer}"),
    mark("the answer is HTTP {status}: {answer}"),
    mark("{file} arrived with MD5 {seen} instead of {md5}; download it again"),
    mark("the session's account is no more"),
    mark("the session's user is no more"),
    mark(
        "the session was opened from {source}, and this is {place}; log in from here, or let sessions wander by "
        "identity.session.bindToAddress=false"
    ),
    mark("the access token[uuid:{uuid}] has expired; make another with CreateAccessToken"),
    mark("the access token is unknown; it may have been revoked"),
    mark(
        "account[{account}] has {held}, which is the limit; log out of one or raise "
        "identity.session.maxConcurrent"
    ),
    mark(
        "user[{user}] has {held}, which is the limit; log out of one or raise identity.session.maxConcurrent"
    ),
    mark("a login has a Content-Length, of {limit} bytes at most"),
    mark("a login is one JSON object"),
    mark("a login has a name, a secret and a language, all texts"),
    mark("a login is JSON: name, secret and language"),
    mark("a full screen is opened by a WebSocket, as the page at / does"),
    mark("the ticket is unknown, used, or too old; log in again"),
    mark("this is no HTTP request that can be read: {cause}"),
    mark("{reason}; leave the header out, or send 100-continue"),
    mark("this appliance opens no consoles"),
    mark("a console is opened by a WebSocket, as noVNC does"),
    mark("this console token is unknown, used or too old; get one with RequestConsoleAccess"),
    mark("id[{key}] was sent with another call; give each call its own"),
    mark("Idempotency-Key[{key}] was sent with another call; give each call its own"),
    mark("{message} is declared, but nothing carries it out yet"),
    mark(
        "account[{account}] has no full screen: it shows what all accounts do, so only the admin may have it"
    ),
    mark("a fault in the appliance, reference {reference}"),
    mark("a page of {origin} may not call this appliance"),
    mark(
        "pages at {host} may not call this appliance; use its address, or start it with --name {name} if that is "
        "a name of its own"
    ),
    mark("this path has no policy, so nobody may use it"),
    mark("{path} needs the role {role}, but the caller has {held_role}"),
    mark("{path} tells what all accounts do; only the admin may have it"),
    mark("Content-Encoding {encoding} is not unpacked here; send the body plain"),
    mark("the body is longer than {limit} bytes"),
    mark("the body did not come within {seconds} s"),
    mark("no job[uuid:{uuid}]; it may be too old, or never was"),
    mark(
        "API[{message}] can only be called by an account, the current session is a user session[user uuid:{uuid}]"
    ),
    mark("{message} needs the role {role}, but the caller has {held_role}; log in as another"),
    mark(
        "user[name: {name}, uuid: {uuid}] has no policy set for this operation, API[{message}] is denied by "
        "default. Create a policy that allows {action} and attach it to the user, or to a group that it is in"
    ),
    mark("{cause} denied. user[name: {name}, uuid: {uuid}] is denied to execute API[{message}]"),
    mark("{message} is not built here; `zstui api` lists what is"),
    mark("{name} is given {count} times; it takes one value"),
    mark("q={condition}: {reason}"),
    mark("{call} has no parameter {name}; it has {known}"),
    mark(
        "{call} is answered at once, and its answer is kept nowhere: it would be carried out again in spite of an "
        "{header}. Send none, and look for what was made before you repeat it"
    ),
    mark("{header} must be 1 to {limit} printable characters without spaces"),
    mark("there is no resource[uuid:{uuid}] at {path}"),
    mark("wait={value} is not a number of seconds from 0 to {limit}"),
    mark(
        "{count} full screens are open here, which is the limit; close one, or run zstui --connect on your own "
        "machine"
    ),
    mark("this appliance takes no uploads"),
    mark("{header}: {value} is not a number of bytes"),
    mark("{header}: {value} begins beyond the end of image[uuid:{uuid}], which has {bytes} bytes"),
    mark("the body has {count} keys; send one: {shape}"),
    mark("the fields of {message} are no JSON object"),
    mark("no service configuration file declares message: {message}"),
    mark("unknown QueryOp type[{op}]"),
    mark("'value' of query condition {condition} cannot be null"),
    mark("condition name[{name}] lists {count} values; at most {limit} can be"),
    mark("condition name[{name}] has a pattern of {count} characters; at most {limit} can be"),
    mark("condition name[{name}] lists {count} dates; at most {limit} can be"),
    mark("value[{value}] of condition name[{name}] is no date; write it as yyyy-mm-dd hh:mm:ss"),
    mark("value[{value}] of condition name[{name}] is no number"),
    mark("value[{value}] of condition name[{name}] is no text or number"),
    mark("value[{value}] of condition name[{name}] is no list of texts or numbers"),
    mark(
        "the query took longer than {limit} ms and was stopped; add conditions on indexed fields, or sort by one"
    ),
    mark("condition name[{name}] is invalid, no such field on inventory class[{inventory}]"),
    mark(
        "condition name[{name}] is invalid, field[{field}] of inventory[{inventory}] is annotated as @Unqueryable "
        "field"
    ),
    mark("cannot find field[{field}] on class[{inventory}], wrong subquery name[{name}]"),
    mark("nested query field[{field}] on inventory[{inventory}] must be annotated as @Queryable"),
    mark(
        "field[{field}] is not a primitive of the inventory {inventory}; you cannot specify it in the parameter "
        "'fields';valid fields are [{fields}]"
    ),
    mark("illegal sortBy[{field}], entity[{inventory}] doesn't have this field"),
    mark("unknown sortDirection[{direction}]; it can be asc or desc"),
    mark("there are {count} conditions; at most {limit} can be"),
    mark("condition name[{name}] names more than {limit} resources in a row"),
    mark("condition name[{name}] asks for {missing}, which is not built here yet"),
    mark("there is no {noun} with {field} {value}"),
    mark("only the admin may ask about {noun}; leave out conditions on it"),
    mark("field[{field}] and field[{other}] mean the same; give one of them"),
    mark("{method} {path} is no route; that path takes {methods}"),
    mark("{method} {path} is no route; /openapi.json lists those that are"),
    mark(
        "{range} asks for no byte of image[uuid:{uuid}], which has {size} bytes; ask for bytes=0-{last} at most"
    ),
    mark("{tag} is a tag of ZStack 1.0 for routers, which are not built here yet"),
)
