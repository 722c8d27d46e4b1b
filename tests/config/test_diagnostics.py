"""Bad configs, and the exact words for each."""

from pathlib import Path

import pytest

from probe.config.load import load_config, read_config
from probe.errors import ConfigError

SHOP = '[targets.shop]\nurl = "https://shop.example"\n'
SLO = "[slo.a]\nobjective = '99.9%'\n"
CHANNEL = "[channels.team]\nurl = 'json://a'\n"
FLEET = "[store]\nurl = 'postgresql://ada@127.0.0.1/probe'\n[fleet]\n"
WINDOW = "[[maintenance]]\nname = 'w'\nduration = '1h'\n"


def said(folder: Path, text: str, *, targets: dict[str, str] | None = None, **environ: str) -> list[str]:
    """What is said about a config, with the file's name alone."""
    path = folder / "config.toml"
    path.write_text(text)
    diagnostics = read_config(path, environ=environ, targets=targets).diagnostics
    return [str(d).replace(f"{folder}/", "") for d in diagnostics]


TABLE: list[tuple[str, str]] = [
    # TOML itself
    ("[probe\n", "config.toml:1: this is not TOML: expected ']' at the end of a table declaration"),
    ('[probe]\nregion = "eu\n', "config.toml:2: this is not TOML: illegal character '\\n'"),
    ("[probe]\n\nregion =", "config.toml:3: this is not TOML: invalid value"),
    ('[probe]\nregion = "a"\nregion = "b"\n', "config.toml:3: this is not TOML: cannot overwrite a value"),
    # unknown keys and tables
    ("[prob]\n", "config.toml:1: prob: there is no such table; did you mean 'probe'?"),
    ("[probe]\n\nregoin = 'eu'", "config.toml:3: probe.regoin: there is no such key; did you mean 'region'?"),
    (
        '[targets.shop]\nurl = "https://shop.example"\n  [targets.shop.heders]\n  x = "1"',
        "config.toml:3: targets.shop.heders: there is no such key; did you mean 'headers'?",
    ),
    (
        SHOP + '[[check]]\nname = "Home page"\n[check.expect]\nstaus = 200',
        "config.toml:6: check.home-page.expect.staus: there is no such key; did you mean 'status'?",
    ),
    # shapes
    ("[[probe]]", "config.toml:1: probe: this table stands once; write [probe]"),
    ("probe = 1", "config.toml:1: probe: this is a number; write a table"),
    ("[[targets]]", "config.toml:1: targets: this is a list; write [targets.NAME] for each"),
    ("[targets]\nshop = 'https://shop.example'", "config.toml:2: targets.shop: this is a string; write a table"),
    ('[targets."my shop"]\nurl = "https://a.example"', "config.toml:1: targets.my shop: 'my shop' cannot be a name; use letters, digits, '_', '-' and '.'"),
    ("[check]\nname = 'a'", "config.toml:1: check: this is a table; write [[check]], with two brackets, for each check"),
    ("[targets.shop]", 'config.toml:1: targets.shop.url: is missing; such as url = "https://shop.example"'),
    (SHOP + "[[check]]", 'config.toml:3: check[0].name: is missing; such as name = "home page"'),
    (SHOP + "[[check]]\nname = '…'", "config.toml:4: check[0].name: no id can be made of '…'; give one: id = \"…\""),
    # types
    ("[probe]\nregion = 1", "config.toml:2: probe.region: 1 is a number; write a string"),
    ("[probe]\nregion = ''", "config.toml:2: probe.region: '' cannot be an id; use letters, digits, '_', '-' and '.', beginning with a letter, a digit or '_'"),
    ("[probe]\nhttp_concurrency = '4'", "config.toml:2: probe.http_concurrency: '4' is a string; write a whole number"),
    ("[probe]\nhttp_concurrency = 0", "config.toml:2: probe.http_concurrency: 0 is not from 1 to 1000"),
    ("[browser]\nworkers = true", "config.toml:2: browser.workers: true is a boolean; write a whole number"),
    ("[evidence]\nhar_bodies = 'yes'", "config.toml:2: evidence.har_bodies: 'yes' is a string; write true or false"),
    ("[probe]\nmarker_header = 'x y'", "config.toml:2: probe.marker_header: 'x y' is not a header name; such as \"x-api-key\""),
    (SHOP + "third_parties = 'pay.example'", "config.toml:3: targets.shop.third_parties: 'pay.example' is a string; write a list"),
    (SHOP + "secrets = { pin = 1234 }", "config.toml:3: targets.shop.secrets.pin: 1234 is a number; write a string"),
    ("[probe]\nregion = 2020-01-01", "config.toml:2: probe.region: datetime.date(2020, 1, 1) is a date; write a string"),
    ("[probe]\nregion = '" + "a" * 101 + "'", f"config.toml:2: probe.region: '{'a' * 79}… is longer than 100 characters"),
    # durations and sizes
    ("[defaults]\nevery = 60", 'config.toml:2: defaults.every: 60 is a number; write a string, such as "45s"'),
    ("[defaults]\nevery = 'often'", "config.toml:2: defaults.every: 'often' is not a duration; write a number and a unit (ms s m h d w), such as 500ms, 45s or 1m30s"),
    ("[defaults]\nevery = '0s'", "config.toml:2: defaults.every: '0s' is not longer than zero"),
    ("[defaults]\nevery = '-5s'", "config.toml:2: defaults.every: '-5s' is not a duration; write a number and a unit (ms s m h d w), such as 500ms, 45s or 1m30s"),
    ("[defaults]\nevery = '99999999999d'", "config.toml:2: defaults.every: '99999999999d' is too long for a duration"),
    ("[browser]\nmax_memory = '2 gigs'", "config.toml:2: browser.max_memory: '2 gigs' is not a size; write a number and a unit (B kB KiB MB MiB GB GiB), such as \"800MiB\""),
    ("[browser]\nmax_memory = '0MiB'", "config.toml:2: browser.max_memory: '0MiB' is not larger than zero"),
    ("[browser]\nmax_memory = false", 'config.toml:2: browser.max_memory: false is a boolean; write a number and a unit (B kB KiB MB MiB GB GiB), such as "800MiB"'),
    # words
    ("[evidence]\ntrace = 'always'", 'config.toml:2: evidence.trace: \'always\' is not a policy; write one of "on", "off", "retain-on-failure", "retain-on-confirmation"'),
    ("[evidence]\ntrace = 'retain-on-fail'", "config.toml:2: evidence.trace: 'retain-on-fail' is not a policy; did you mean 'retain-on-failure'?"),
    ("[evidence]\ntrace = true", 'config.toml:2: evidence.trace: true is not a policy; write one of "on", "off", "retain-on-failure", "retain-on-confirmation"'),
    ("[regions.us]\nip_version = 6", 'config.toml:2: regions.us.ip_version: 6 is not a version; write one of "any", "4", "6"'),
    # addresses
    ("[targets.shop]\nurl = 'shop.example'", 'config.toml:2: targets.shop.url: \'shop.example\' is not a URL: it has no scheme; write https://…, such as "https://shop.example"'),
    ("[targets.shop]\nurl = 'htps://shop.example'", "config.toml:2: targets.shop.url: 'htps://shop.example' has an unknown scheme; did you mean 'https'?"),
    ("[targets.shop]\nurl = 'ws://shop.example'", "config.toml:2: targets.shop.url: 'ws://shop.example' has an unknown scheme; write http:// or https://"),
    ("[targets.shop]\nurl = 'https://'", "config.toml:2: targets.shop.url: 'https://' is not a URL: it has no host; such as \"https://shop.example\""),
    ("[targets.shop]\nurl = 'https://shop..example'", "config.toml:2: targets.shop.url: 'https://shop..example' is not a URL: its host is malformed; such as \"https://shop.example\""),
    ("[targets.shop]\nurl = 'https://shop.example:99999'", "config.toml:2: targets.shop.url: 'https://shop.example:99999' is not a URL: its port is malformed; such as \"https://shop.example\""),
    ("[targets.shop]\nurl = 'https://shop.example:0'", "config.toml:2: targets.shop.url: 'https://shop.example:0' is not a URL: no server listens on port 0"),
    ("[targets.shop]\nurl = 'https://[::1'", "config.toml:2: targets.shop.url: 'https://[::1' is not a URL: its host is malformed; such as \"https://shop.example\""),
    ("[targets.shop]\nurl = 'https://shop example'", "config.toml:2: targets.shop.url: 'https://shop example' is not a URL: it holds white space"),
    ("[targets.shop]\nurl = 'https://shop.example/?a=b'", "config.toml:2: targets.shop.url: 'https://shop.example/?a=b' has a query or a fragment; write these into the path of each check"),
    ("[regions.us]\nproxy = 'https://egress:1080'", "config.toml:2: regions.us.proxy: 'https://egress:1080' has an unknown scheme; did you mean 'http'?"),
    ("[regions.us]\nproxy = 'socks5://egress'", "config.toml:2: regions.us.proxy: 'socks5://egress' has no port; such as \"socks5://egress:1080\""),
    ("[regions.us]\nproxy = 'socks5://ada:pw12@:1080'", "config.toml:2: regions.us.proxy: 'socks5://***@:1080' is not a URL: it has no host; such as \"socks5://egress:1080\""),
    ("[regions.us]\nsource_address = 'eth0'", "config.toml:2: regions.us.source_address: 'eth0' is not an IP address; such as \"192.0.2.10\""),
    ("[regions.us]\nsource_address = '::1'\nip_version = '4'", "config.toml:2: regions.us.source_address: '::1' is not an IPv4 address, as ip_version wants"),
    ("[regions.us]\nnameserver = 'dns.example'", "config.toml:2: regions.us.nameserver: 'dns.example' is not the address of a name server; write an IP address, with a port if it is not 53: \"192.0.2.53:5353\""),
    ("[regions.us]\nnameserver = '192.0.2.53:70000'", "config.toml:2: regions.us.nameserver: '192.0.2.53:70000' has a port that is not from 1 to 65535"),
    (SHOP + "[[check]]\nname = 'a'\npath = '/a b'", "config.toml:5: check.a.path: '/a b' holds white space; write %20 for a space"),
    # files
    (SHOP + "ca = 'no.pem'", "config.toml:3: targets.shop.ca: cannot read the file 'no.pem': No such file or directory; a relative path starts at the folder of the config file"),
    (SHOP + "ca = 'config.toml'", "config.toml:3: targets.shop.ca: the file 'config.toml' is not PEM; it must hold a block that starts with -----BEGIN"),
    (SHOP + "client_key = 'pem'", "config.toml:3: targets.shop.client_key: there is no client_certificate for it; name both"),
    ("[probe]\nchecks = ['pem',\n'cheks/']", "config.toml:3: probe.checks[1]: there is no 'cheks/'; a relative path starts at the folder of the config file"),
    # references
    ("[probe]\nregion = '${env:REGION}'", "config.toml:2: probe.region: the environment variable REGION is not set; set it: export REGION=…"),
    ("[probe]\nregion = '${env:EMPTY}'", "config.toml:2: probe.region: the environment variable EMPTY is empty; set it: export EMPTY=…"),
    ("[probe]\nregion = '${REGION}'", "config.toml:2: probe.region: ${REGION} is not a reference; write ${env:NAME}, ${file:PATH}, or $${ for a plain ${"),
    ("[probe]\nregion = '${env:REGION'", "config.toml:2: probe.region: a ${ is not closed; write ${env:NAME}, ${file:PATH}, or $${ for a plain ${"),
    (SHOP + "secrets = { pin = '${file:no}' }", "config.toml:3: targets.shop.secrets.pin: cannot read the file 'no': No such file or directory; a relative path starts at the folder of the config file"),
    (SHOP + "secrets = { pin = '${file:nothing}' }", "config.toml:3: targets.shop.secrets.pin: the file 'nothing' is empty"),
    (SHOP + "secrets = { pin = '${file:bytes}' }", "config.toml:3: targets.shop.secrets.pin: cannot read the file 'bytes': it is not UTF-8 text; a relative path starts at the folder of the config file"),
    # names that must exist
    (SHOP + "[defaults]\ntarget = 'shpo'", "config.toml:4: defaults.target: there is no target 'shpo'; did you mean 'shop'?"),
    (SHOP + "[[check]]\nname = 'a'\ntarget = 'shpo'", "config.toml:5: check.a.target: there is no target 'shpo'; did you mean 'shop'?"),
    (SHOP + "[[check]]\nname = 'a'\nregions = [\n'local',\n'lcoal']", "config.toml:7: check.a.regions[1]: there is no region 'lcoal'; did you mean 'local'?"),
    (SHOP + "[targets.pay]\nurl = 'https://pay.example'\n[[check]]\nname = 'a'", "config.toml:5: check.a: it has no target; name one of pay, shop with target = …, or set defaults.target"),
    ("[[check]]\nname = 'a'", 'config.toml:1: check.a: there is no target to point it at; add [targets.shop] with url = "https://shop.example"'),
    (SHOP + "[[check]]\nname = 'a'\nkind = 'htpp'", "config.toml:5: check.a.kind: there is no kind 'htpp'; did you mean 'http'?"),
    (SHOP + "[[check]]\nname = 'a'\nkind = 'function'", "config.toml:5: check.a.kind: there is no kind 'function'; functions are declared in Python, with @check and @journey"),
    # schedules
    (SHOP + "[[check]]\nname = 'a'\nevery = '10s'\ntimeout = '1m'", "config.toml:6: check.a.timeout: 1m is longer than the interval of 10s; a run must end before the next one is due: shorten the timeout, or run the check less often"),
    (SHOP + "[[check]]\nname = 'a'\ntimeout = '90s'", "config.toml:5: check.a.timeout: 1m30s is longer than the default interval of 1m; a run must end before the next one is due: shorten the timeout, or run the check less often"),
    # ids
    (SHOP + "[[check]]\nname = 'A b'\n[[check]]\nname = 'a-b'", "config.toml:5: a-b: the id 'a-b' is taken by the check at config.toml:3; give one of them another: id = \"…\""),
    # requests and expectations
    (SHOP + "[[check]]\nname = 'a'\nmethod = 'post'", "config.toml:5: check.a.method: 'post' is not a method; such as \"GET\" or \"POST\""),
    (SHOP + "[[check]]\nname = 'a'\nbody = 'x'\nform = { a = 'b' }", "config.toml:6: check.a.form: a request has one body: there is 'body' already; leave one of them"),
    (SHOP + "[[check]]\nname = 'a'\njson = { at = 2020-01-01 }", "config.toml:5: check.a.json: it holds a value that JSON does not have; write dates as strings, and no inf or nan"),
    (SHOP + '[[check]]\nname = \'a\'\nheaders = { a = "b\\nc" }', "config.toml:5: check.a.headers.a: 'b\\nc' cannot be sent; a header has no line breaks"),
    (SHOP + "[[check]]\nname = 'a'\nexpect = { status = '200' }", "config.toml:5: check.a.expect.status: '200' is not a status; write a number such as 200, or a list such as [200, 204]"),
    (SHOP + "[[check]]\nname = 'a'\nexpect = { status = [200, 999] }", "config.toml:5: check.a.expect.status: [200, 999] is not a status: they go from 100 to 599"),
    (SHOP + "[[check]]\nname = 'a'\nexpect = { status = [] }", "config.toml:5: check.a.expect.status: the list of statuses is empty; write a number such as 200, or a list such as [200, 204]"),
    (SHOP + "[[check]]\nname = 'a'\nexpect = { body_matches = 'a(' }", "config.toml:5: check.a.expect.body_matches: 'a(' is not a regular expression: missing ), unterminated subpattern at character 2"),
    (SHOP + "[[check]]\nname = 'a'\nexpect = { json = { 'a.b' = 1 } }", "config.toml:5: check.a.expect.json.a.b: 'a.b' is not a JSON path: it does not begin with $; such as \"$.items[0].sku\""),
    (SHOP + "[[check]]\nname = 'a'\nexpect = { json = { '$[' = 1 } }", "config.toml:5: check.a.expect.json.$[: '$[' is not a JSON path; such as \"$.items[0].sku\""),
    (SHOP + "[[check]]\nname = 'a'\nexpect = { phases = { ttbf = '1s' } }", "config.toml:5: check.a.expect.phases.ttbf: 'ttbf' is not a phase; did you mean 'ttfb'?"),
    (SHOP + "[[check]]\nname = 'a'\nexpect = { tls_days = 0 }", "config.toml:5: check.a.expect.tls_days: 0 is not at least 1"),
    (SHOP + "[[check]]\nname = 'a'\nexpect = 200", "config.toml:5: check.a.expect: 200 is a number; write a table"),
    # pytest files
    (SHOP + "[[check]]\nkind = 'playwright-pytest'", 'config.toml:3: check[0].file: is missing; such as file = "tests/test_shop.py"'),
    (SHOP + "[[check]]\nkind = 'playwright-pytest'\nfile = 'no.py'", "config.toml:5: check.no.file: 'no.py': cannot read it: No such file or directory; a relative path starts at the folder of the config file"),
    (SHOP + "[[check]]\nkind = 'playwright-pytest'\nfile = 'empty.py'", "config.toml:5: check.empty.file: 'empty.py' has no test functions; pytest runs functions named test_…, and methods of classes named Test…"),
    (SHOP + "[[check]]\nkind = 'playwright-pytest'\nfile = 'broken.py'", "broken.py:2: this is not Python: '(' was never closed"),
    (SHOP + "[[check]]\nkind = 'playwright-pytest'\nfile = 'empty.py'\nevidence = 'ful'", "config.toml:6: check.empty.evidence: 'ful' is not a policy for all evidence; did you mean 'full'?"),
    # times of the day
    (SHOP + "[[check]]\nname = 'a'\ncron = '* * * *'", "config.toml:5: check.a.cron: '* * * *' has 4 fields, not five; write minute, hour, day of the month, month and day of the week, such as \"*/5 9-17 * * mon-fri\""),
    (SHOP + "[[check]]\nname = 'a'\ncron = '0 25 * * *'", "config.toml:5: check.a.cron: '0 25 * * *' is not a cron expression: bad hour; write minute, hour, day of the month, month and day of the week, such as \"*/5 9-17 * * mon-fri\""),
    (SHOP + "[[check]]\nname = 'a'\ncron = '0 0 29 2 *'", "config.toml:5: check.a.cron: it comes less than twice in two years; give the check a time at least each year"),
    (SHOP + "[[check]]\nname = 'a'\nevery = '1m'\ncron = '* * * * *'", "config.toml:6: check.a.cron: there is `every` already: a check has one schedule; leave one of them"),
    (SHOP + "[[check]]\nname = 'a'\ntimezone = 'UTC'", 'config.toml:5: check.a.timezone: there is no cron to be read in it; add cron = "…", or remove it'),
    (SHOP + "[[check]]\nname = 'a'\ncron = '* * * * *'\ntimezone = 'Europe/Amstredam'", "config.toml:6: check.a.timezone: there is no time zone 'Europe/Amstredam'; did you mean 'Europe/Amsterdam'?"),
    (SHOP + "[[check]]\nname = 'a'\ncron = '* * * * *'\ntimezone = '../../etc/passwd'", "config.toml:6: check.a.timezone: there is no time zone '../../etc/passwd'; such as \"Europe/Amsterdam\""),
    (SHOP + "[[check]]\nname = 'a'\ncron = '0,1 6 * * *'\ntimeout = '2m'", "config.toml:6: check.a.timeout: 2m is longer than the shortest time between two runs of 1m; a run must end before the next one is due: shorten the timeout, or run the check less often"),
    # the process
    ("[probe]\nlisten = '9464'", 'config.toml:2: probe.listen: \'9464\' is not an address to listen at; write host and port, "127.0.0.1:9464", or "off"'),
    ("[probe]\nlisten = 'localhost:70000'", "config.toml:2: probe.listen: 'localhost:70000' has a port that is not from 0 to 65535"),
    ("[probe]\nheartbeat_url = 'hc.example/canary-1'", 'config.toml:2: probe.heartbeat_url: \'***\' is not a URL: it has no scheme; write https://…, such as "https://alerts.example/hook"'),
    ("[probe]\nlog = 'jsno'", "config.toml:2: probe.log: 'jsno' is not a form of log; did you mean 'json'?"),
    ("[probe]\nlog_level = 'warn'", "config.toml:2: probe.log_level: 'warn' is not a level; did you mean 'warning'?"),
    ("[probe]\ngrace = '0s'", "config.toml:2: probe.grace: '0s' is not longer than zero"),
    # the store
    ("[store]\nurl = 'mysql'", "config.toml:2: store.url: 'mysql' is not a store; write \"sqlite\", or postgresql://<user>:<password>@<host>/<database>?sslmode=verify-full"),
    ("[store]\nurl = 'mysql://ada:canary-1@db/probe'", "config.toml:2: store.url: '***' is not a store; write \"sqlite\", or postgresql://<user>:<password>@<host>/<database>?sslmode=verify-full"),
    ("[store]\nurl = 'postgresql'", "config.toml:2: store.url: 'postgresql' is not a URL; write postgresql://<user>:<password>@<host>/<database>?sslmode=verify-full"),
    ("[store]\nurl = 'postgresql://db/probe'", "config.toml:2: store.url: the URL of the database names no user; write postgresql://<user>:<password>@<host>/<database>?sslmode=verify-full"),
    ("[store]\nurl = 'postgresql://ada:canary-1@/probe'", "config.toml:2: store.url: the URL of the database names no host; write postgresql://<user>:<password>@<host>/<database>?sslmode=verify-full"),
    ("[store]\nurl = 'postgresql://ada:canary-1@a,b:x/probe'", "config.toml:2: store.url: a port of the database is not from 1 to 65535; write special characters of the password as %XX: @ is %40, / is %2F, : is %3A, # is %23"),
    ("[store]\nurl = 'postgresql://ada:canary-1@[db/probe'", "config.toml:2: store.url: the URL of the database cannot be read; write special characters of the password as %XX: @ is %40, / is %2F, : is %3A, # is %23"),
    ("[store]\nurl = 'postgresql://ada:canary-1#@db/probe'", "config.toml:2: store.url: the URL of the database cannot be read; write special characters of the password as %XX: @ is %40, / is %2F, : is %3A, # is %23"),
    ("[store]\nurl = 'postgresql://ada:canary-1@db/probe?sslmod=require'", "config.toml:2: store.url: the URL of the database has the parameter 'sslmod', which is not known; did you mean 'sslmode'?"),
    ("[store]\nurl = 'postgresql://ada:canary-1@db/probe?sslmode=verify'", "config.toml:2: store.url: there is no such sslmode; did you mean 'verify-ca'?"),
    ("[store]\nurl = 'postgresql://ada:canary-1@db/probe?sslrootcert='", "config.toml:2: store.url: sslrootcert names no file; write sslrootcert=/etc/probe/sslrootcert.pem, or leave it out"),
    ("[store]\nurl = 'postgresql://ada:canary-1@db/probe?sslkey=/k'", "config.toml:2: store.url: there is an sslkey, and no sslcert that it belongs to; name both"),
    ("[store]\nurl = 'postgresql://ada:canary-1@db/probe?target_session_attrs=standby'", "config.toml:2: store.url: target_session_attrs asks for a server that takes no writes; write target_session_attrs=read-write"),
    ("[store]\nurl = 'postgresql://ada:canary-1@/probe?host=/run/postgresql&sslmode=verify-full'", "config.toml:2: store.url: a Unix socket has no certificate to verify; leave sslmode out"),
    ("[store]\nurl = 'postgresql://ada:canary-1@db/probe?sslmode=require'", "config.toml:2: warning: store.url: whoever is between this machine and the database can pose as it, and read and change everything; add ?sslmode=verify-full&sslrootcert=/etc/probe/database-ca.pem to the URL"),
    # the fleet
    ("[fleet]\nrole = 'agent'", 'config.toml:1: fleet: there is no fleet without a database; set [store] url = "postgresql://…", or remove it'),
    (FLEET + "role = 'agnet'", "config.toml:4: fleet.role: 'agnet' is not a role; did you mean 'agent'?"),
    (FLEET + "node = 'a/b'", "config.toml:4: fleet.node: 'a/b' cannot be an id; use letters, digits, '_', '-' and '.', beginning with a letter, a digit or '_'"),
    (FLEET + "stale_after = '5s'", "config.toml:4: fleet.stale_after: '5s' is shorter than 15s; a region that is just restarted must not be said to be silent"),
    (FLEET + "catch_up = 0", "config.toml:4: fleet.catch_up: 0 is not from 1 to 100000"),
    (FLEET + "outbox = '1 tome'", "config.toml:4: fleet.outbox: '1 tome' is not a size; write a number and a unit (B kB KiB MB MiB GB GiB), such as \"800MiB\""),
    (FLEET + "evidence = 'databse'", "config.toml:4: fleet.evidence: 'databse' is no place for evidence; did you mean 'database'?"),
    (FLEET + "evidence = 's3:bucket'", "config.toml:4: fleet.evidence: 's3:bucket' is no place for evidence; write \"database\", \"off\", or the bucket, \"s3://bucket/prefix\""),
    (FLEET + "fast_path = 'taem'\n" + CHANNEL, "config.toml:4: fleet.fast_path[0]: there is no channel 'taem' here; did you mean 'team'?"),
    (FLEET + "role = 'agent'", 'config.toml:4: fleet.role: an agent says where it is; set [probe] region = "us-east", or whatever it is called'),
    (FLEET + "role = 'agent'\n[probe]\nregion = 'us'\n" + SLO, "config.toml:7: slo: an agent does not judge; write it where the fleet is judged, and remove it here"),
    (FLEET + "role = 'agent'\n[probe]\nregion = 'us'\n[regions.eu]", 'config.toml:7: regions.eu: an agent probes from its own region only, us; run another one with region = "eu" and this table, on this machine if need be'),
    (FLEET + "role = 'agent'\n[probe]\nregion = 'us'\n" + CHANNEL, 'config.toml:7: warning: channels.team: an agent tells nobody anything, but on its fast path; add fast_path = ["team"] to [fleet], or remove it'),
    (FLEET + "role = 'evaluate'\n[regions.eu]", "config.toml:5: regions.eu: nobody probes from there: this node only judges; write agent = true, and run an agent there"),
    (FLEET + "[[drill]]\ncheck = 'a'\ncron = '0 9 * * mon'", "config.toml:4: warning: drill[0]: drills are made by single nodes only: in a fleet this one is not; remove it, or drill elsewhere"),
    ("[regions.us]\nagent = true", 'config.toml:2: regions.us.agent: there is no fleet that an agent could belong to; set [store] url = "postgresql://…", or remove it'),
    # what would be published
    (FLEET + "[channels.team]\nurl = 'slack://canary-1-TOKEN/a'", "config.toml:5: channels.team.url: a secret stands here, and would be published to the nodes of the fleet; write ${env:NAME} or ${file:PATH}, which each node fills in for itself"),
    (FLEET + SHOP + "headers = { authorization = 'Bearer canary-1' }", "config.toml:6: targets.shop.headers.authorization: a secret stands here, and would be published to the nodes of the fleet; write ${env:NAME} or ${file:PATH}, which each node fills in for itself"),
    (FLEET + SHOP + "secrets = { user = 'canary-1' }", "config.toml:6: targets.shop.secrets.user: a secret stands here, and would be published to the nodes of the fleet; write ${env:NAME} or ${file:PATH}, which each node fills in for itself"),
    (FLEET + "[regions.us]\nagent = true\nproxy = 'http://a:canary-1@b:1'", "config.toml:6: regions.us.proxy: a secret stands here, and would be published to the nodes of the fleet; write ${env:NAME} or ${file:PATH}, which each node fills in for itself"),
    ("[store]\nballast = -1", "config.toml:2: store.ballast: -1 is negative"),
    ("[store]\nkeep_details = '15d'", "config.toml:2: store.keep_details: 15d is longer than keep_runs, 14d; the details of a run go with the run"),
    ("[store]\nkeep_days = '100d'", "config.toml:1: store.keep_hours: 400d is longer than keep_days, 100d; days are summed up from hours, and outlast them"),
    # regions
    ("[regions.us]\ncontrol = 'anchor.example'", 'config.toml:2: regions.us.control: \'anchor.example\' is not a URL: it has no scheme; write https://…, such as "https://alerts.example/hook"'),
    ("[regions.us]\ncontrol = 'https://anchor.example'\n[targets.\"control.us\"]\nurl = 'https://a.example'", "config.toml:3: targets.control.us: the control of a region has that name; give it another"),
    ("[regions.us]\ncontrol = ['dns:a.example', 'dns:a b']", "config.toml:2: regions.us.control[1]: 'dns:a b' is not a name to be resolved; such as \"dns:example.org\""),
    (SHOP + "[regions.us.targets.shpo]", "config.toml:3: regions.us.targets.shpo: there is no target 'shpo'; did you mean 'shop'?"),
    (SHOP + "[regions.us.targets.shop]\nurl = 'shop.example'", "config.toml:4: regions.us.targets.shop.url: 'shop.example' is not a URL: it has no scheme; write https://…, such as \"https://shop.example\""),
    (SHOP + "[regions.us.targets.shop]\nulr = 'shop.example'", "config.toml:4: regions.us.targets.shop.ulr: there is no such key; did you mean 'url'?"),
    # objectives
    ("[slo.a]", 'config.toml:1: slo.a.objective: is missing; such as objective = "99.9%"'),
    ("[slo.a]\nobjective = '99.9'", "config.toml:2: slo.a.objective: '99.9' is not a share; write a share with its unit, such as \"99.9%\""),
    ("[slo.a]\nobjective = 99.9", 'config.toml:2: slo.a.objective: 99.9 is not more than 0% and less than 100%; write a share with its unit, such as "99.9%"'),
    ("[slo.a]\nobjective = '100%'", "config.toml:2: slo.a.objective: '100%' is not more than 0% and less than 100%; write a share with its unit, such as \"99.9%\""),
    ("[slo.a]\nobjective = nan", 'config.toml:2: slo.a.objective: nan is not more than 0% and less than 100%; write a share with its unit, such as "99.9%"'),
    ("[slo.a]\nobjective = true", 'config.toml:2: slo.a.objective: true is a boolean; write a share with its unit, such as "99.9%"'),
    (SLO + "coverage = 90", 'config.toml:3: slo.a.coverage: 90 is not from 0% to 100%; write a share with its unit, such as "90%"'),
    (SLO + "window = 'fortnight'", 'config.toml:3: slo.a.window: \'fortnight\' is not a window; write a duration such as "30d", or one of "week", "month", "quarter"'),
    (SLO + "window = 'mounth'", "config.toml:3: slo.a.window: 'mounth' is not a window; did you mean 'month'?"),
    (SLO + "window = '12h'", 'config.toml:3: slo.a.window: \'12h\' is not from 1d to 365d; write a duration such as "30d", or one of "week", "month", "quarter"'),
    (SLO + "window = '30'", "config.toml:3: slo.a.window: '30' is not a duration; write a number and a unit (ms s m h d w), such as 500ms, 45s or 1m30s"),
    (SLO + "latency = { objective = '99%' }", 'config.toml:3: slo.a.latency.under: is missing; such as under = "3s"'),
    (SLO + "latency = { objective = '99%', under = '1s', setp = 'pay' }", "config.toml:3: slo.a.latency.setp: there is no such key; did you mean 'step'?"),
    ("[slo]\n'a/b' = { objective = '99%' }", "config.toml:2: slo.a/b: 'a/b' cannot be a name; use letters, digits, '_', '-' and '.'"),
    (SHOP + SLO + "[[check]]\nname = 'c'\nslo = 'aa'", "config.toml:7: check.c.slo: there is no objective 'aa'; did you mean 'a'?"),
    (SHOP + "[[check]]\nname = 'c'\nslo = 'aa'", "config.toml:5: warning: check.c.slo: there is no objective 'aa': the check counts for none; add [slo.NAME] to the config"),
    # channels
    ("[channels.team]", 'config.toml:1: channels.team.url: is missing; such as url = "slack://TOKEN_A/TOKEN_B/TOKEN_C"'),
    ("[channels.team]\nkind = 'webhook'", 'config.toml:1: channels.team.url: is missing; such as url = "https://alerts.example/hook"'),
    ("[channels.team]\nkind = 'alertmanager'", 'config.toml:1: channels.team.url: is missing; such as url = "http://127.0.0.1:9093"'),
    ("[channels.team]\nkind = 'webhok'\nurl = 'https://a.example'", "config.toml:2: channels.team.kind: there is no kind 'webhok'; did you mean 'webhook'?"),
    ("[channels.team]\nurl = 'canary-1/x'", 'config.toml:2: channels.team.url: \'***\' is not a URL; such as "slack://…" or "mailto://…": https://github.com/caronc/apprise/wiki lists them'),
    ("[channels.team]\nurl = ['slack://canary-1/x']", "config.toml:2: channels.team.url: '***' is a list; write a string"),
    ("[channels.team]\nurl = 'json://a'\nurls = ['json://b']", "config.toml:3: channels.team.urls: there is a url already; leave one of them"),
    ("[channels.team]\nurls = ['json://a', 'json://b']", "config.toml:2: channels.team.urls: a channel leads to one place; make a channel of each, and name all in a route"),
    ("[channels.team]\nkind = 'terminal'\nurl = 'json://a'", 'config.toml:3: channels.team.url: a terminal has no address; remove url, or kind = "terminal"'),
    ("[channels.team]\nkind = 'webhook'\nurl = 'slack://canary-1'", "config.toml:3: channels.team.url: '***' has an unknown scheme; write http:// or https://"),
    ("[channels.am]\nkind = 'alertmanager'\nurls = ['http://a:9093',\n'b:9093']", 'config.toml:4: channels.am.urls[1]: \'***\' is not a URL; such as "slack://…" or "mailto://…": https://github.com/caronc/apprise/wiki lists them'),
    ("[channels.am]\nkind = 'alertmanager'\nurls = ['http://a:9093',\n'http://']", "config.toml:4: channels.am.urls[1]: '***' is not a URL; such as \"slack://…\" or \"mailto://…\": https://github.com/caronc/apprise/wiki lists them"),
    ("[channels.am]\nkind = 'alertmanager'\nurls = ['http://a:9093',\n'http://b:0']", "config.toml:4: channels.am.urls[1]: '***' is not a URL: no server listens on port 0"),
    ("[channels.team]\nurl = 'json://a'\nkey = 'canary-1'", "config.toml:3: channels.team.key: a channel of kind 'apprise' signs nothing; only kind = \"webhook\" does"),
    ("[channels.team]\nurl = 'json://a'\ntoken = 'canary-1'", "config.toml:3: channels.team.token: there is no such key; known: key, kind, timeout, url, urls"),
    ("[channels]\nteam = 'slack://canary-1'", "config.toml:2: channels.team: this is a string; write a table"),
    ("[channels.team]\nurl = '${env:NOT_SET}'", "config.toml:2: channels.team.url: the environment variable NOT_SET is not set; set it: export NOT_SET=…"),
    # routes
    (CHANNEL + "[[route]]", 'config.toml:3: route[0].channels: is missing; such as channels = ["team"]'),
    (CHANNEL + "[[route]]\nchannels = []", "config.toml:4: route[0].channels: there is none; name those who are told"),
    (CHANNEL + "[[route]]\nchannels = ['teem']", "config.toml:4: route[0].channels[0]: there is no channel 'teem'; did you mean 'team'?"),
    (CHANNEL + "[[route]]\nchannels = 'team'\nseverity = 'pager'", "config.toml:5: route[0].severity: 'pager' is not a severity; did you mean 'page'?"),
    (CHANNEL + "[[route]]\nchannels = 'team'\ntargets = ['shpo']", "config.toml:5: route[0].targets[0]: there is no target 'shpo'"),
    (CHANNEL + "[[route]]\nchannels = 'team'\nescalate = { after = '10m', channels = ['tram'] }", "config.toml:5: route[0].escalate.channels[0]: there is no channel 'tram'; did you mean 'team'?"),
    (CHANNEL + "[[route]]\nchannels = 'team'\nescalate = { channels = ['team'] }", 'config.toml:5: route[0].escalate.after: is missing; such as after = "10m"'),
    (CHANNEL + "[[route]]\nchannels = 'team'\nremind = 60", 'config.toml:5: route[0].remind: 60 is a number; write a string, such as "45s"'),
    (CHANNEL + "[channels.other]\nurl = 'json://b'\n[[route]]\nchannels = 'team'", "config.toml:3: warning: channels.other: no route names it: nothing is ever told here; name it in a [[route]]"),
    ("[route]\nchannels = 'team'", "config.toml:1: route: this is a table; write [[route]], with two brackets, for each"),
    (CHANNEL + "[[route]]\nchannels = 'team'\n[[route]]\nany = 1\nchannels = 'team'", "config.toml:6: route[1].any: there is no such key; known: channels, checks, escalate, remind, severity, tags, targets"),
    # maintenance
    ("[[maintenance]]\nduration = '1h'\ncron = '0 2 * * *'", 'config.toml:1: maintenance[0].name: is missing; such as name = "weekly release"'),
    (WINDOW, 'config.toml:1: maintenance[0]: it has no start; write start = 2026-12-01T22:00:00, or cron = "0 2 * * sun" for each Sunday'),
    (WINDOW + "start = 2026-12-01T22:00:00Z\ncron = '0 2 * * *'", "config.toml:5: maintenance[0].cron: there is a start already: a window comes once, or again and again; leave one"),
    (WINDOW + "start = '2026-12-01T22:00:00'", "config.toml:4: maintenance[0].start: '2026-12-01T22:00:00' is a string; write a date and a time, without quotes, such as 2026-12-01T22:00:00+01:00"),
    (WINDOW + "start = 2026-12-01", "config.toml:4: maintenance[0].start: datetime.date(2026, 12, 1) is a date; write a date and a time, without quotes, such as 2026-12-01T22:00:00+01:00"),
    (WINDOW + "start = 2026-03-29T02:30:00\ntimezone = 'Europe/Amsterdam'", "config.toml:4: maintenance[0].start: clocks in Europe/Amsterdam go forward then, and never show 2026-03-29 02:30:00; write it with an offset from UTC"),
    (WINDOW + "start = 2026-10-25T02:30:00\ntimezone = 'Europe/Amsterdam'", "config.toml:4: warning: maintenance[0].start: clocks in Europe/Amsterdam go back then: the first 2026-10-25 02:30:00 is meant; write it with an offset from UTC"),
    (WINDOW + "cron = '0 * * * *'", "config.toml:3: maintenance[0].duration: the window never ends: it begins again after 1h at most; make it shorter; to switch alerts off for good, remove the channel or the check"),
    (WINDOW + "cron = '0 2 * * *'\ntargets = ['shpo']", "config.toml:5: maintenance[0].targets[0]: there is no target 'shpo'"),
    (WINDOW + "cron = '0 2 * *'", "config.toml:4: maintenance[0].cron: '0 2 * *' has 4 fields, not five; write minute, hour, day of the month, month and day of the week, such as \"*/5 9-17 * * mon-fri\""),
    ("[maintenance]\nname = 'x'", "config.toml:1: maintenance: this is a table; write [[maintenance]], with two brackets, for each"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), TABLE, ids=range(len(TABLE)))
def test_says(tmp_path: Path, text: str, message: str) -> None:
    for name, content in {
        "pem": b"-----BEGIN X",
        "nothing": b"\n",
        "bytes": b"\xff",
        "empty.py": b"",
        "broken.py": b"\nf(",
    }.items():
        (tmp_path / name).write_bytes(content)
    found = said(tmp_path, text, EMPTY="")
    assert message in found
    assert not any("canary" in line for line in found)
    # Nothing but the mistake is complained about (there are two in one of the texts).
    assert len(found) == 1 + ("'ful'" in text)


def test_a_folder_of_time_zones_is_none(tmp_path: Path) -> None:
    (found,) = said(tmp_path, SHOP + "[[check]]\nname = 'a'\ncron = '* * * * *'\ntimezone = 'Europe'")
    assert found.startswith("config.toml:6: check.a.timezone: there is no time zone 'Europe'; did you mean 'Europe/")


def test_everything_at_once(tmp_path: Path) -> None:
    text = """\
[probe]
regon = "x"
[targets.shop]
url = "htps://shop.example"
[[check]]
name = "home page"
target = "shpo"
every = "often"
regions = ["eu"]
expect = { status = 99, within = "0s" }
[strange]
"""
    assert [line.split(": ")[:2] for line in said(tmp_path, text, targets={"pay": "x"})] == [
        ["config.toml:2", "probe.regon"],
        ["config.toml:4", "targets.shop.url"],
        ["config.toml:7", "check.home-page.target"],
        ["config.toml:8", "check.home-page.every"],
        ["config.toml:9", "check.home-page.regions[0]"],
        ["config.toml:10", "check.home-page.expect.status"],
        ["config.toml:10", "check.home-page.expect.within"],
        ["config.toml:11", "strange"],
        ["command line", "--target pay"],
    ]


def test_a_broken_schedule_is_not_compared(tmp_path: Path) -> None:
    found = said(tmp_path, SHOP + '[[check]]\nname = "a"\nevery = "bad"\ntimeout = "1h"')
    assert [line.split(": ")[1] for line in found] == ["check.a.every"]


def test_broken_targets_and_regions_are_still_known_by_name(tmp_path: Path) -> None:
    text = '[targets]\nshop = 1\n[regions.us]\nproxy = "x"\n[[check]]\nname = "a"\ntarget = "shop"\nregions = ["us"]'
    assert [line.split(": ")[1] for line in said(tmp_path, text)] == ["targets.shop", "regions.us.proxy"]


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ({"shpo": "https://a.example"}, "command line: --target shpo: there is no target 'shpo'; did you mean 'shop'?"),
        ({"shop": "a.example"}, "command line: --target shop: 'a.example' is not a URL: it has no scheme; write https://…, such as \"https://shop.example\""),
        ({"shop": "https://u:hunter2@"}, "command line: --target shop: 'https://***@' is not a URL: it has no host; such as \"https://shop.example\""),
    ],
)  # fmt: skip
def test_overrides(tmp_path: Path, targets: dict[str, str], message: str) -> None:
    assert said(tmp_path, SHOP, targets=targets) == [message]


def test_override_of_a_config_without_targets(tmp_path: Path) -> None:
    assert said(tmp_path, "", targets={"shop": "https://a.example"}) == [
        "command line: --target shop: there is no target 'shop'; the config has no targets"
    ]


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        load_config(tmp_path / "no.toml", environ={})
    assert (
        str(raised.value)
        == f"{tmp_path}/no.toml: cannot read it: No such file or directory; name another with --config"
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"[probe]\n# \xff", "config.toml:2: it is not UTF-8 text"),
        (b"a = " + b"[" * 5000, "config.toml: it is too deeply nested"),
        (b"a = " + b"9" * 5000, "config.toml:1: this is not TOML: exceeds the limit"),
    ],
)
def test_unreadable_text(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(data)
    (found,) = read_config(path, environ={}).diagnostics
    assert str(found).replace(f"{tmp_path}/", "").startswith(message)


def test_a_folder_is_not_a_config(tmp_path: Path) -> None:
    (found,) = read_config(tmp_path, environ={}).diagnostics
    assert found.what == "cannot read it: Is a directory"
