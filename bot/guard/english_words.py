"""English words and phrases that are spelled in one way before questions are compared.

Only what is interchangeable in a question to a help desk stands here. Near-synonyms that people tell apart (reset and
change, get and receive, pending and declined, cheque and check) are left out on purpose: a missing one costs some
reuse, a wrong one a wrong answer. What is the same only beside certain nouns stands in `ABOUT`.
"""

from __future__ import annotations

from bot.guard.table import words

DROPPED = words("a an the please kindly pls plz actually exactly basically simply")
"""Words that make no other question, wherever they stand."""

_SAME = """
buy: purchase
film: movie movies
lift: elevator
car: automobile
child: children kids kid
photo: picture pic photograph
television: tv
computer: pc
advert: advertisement ad
mandatory: compulsory obligatory
allowed: permitted
allow: permit
forbidden: prohibited
declined: rejected
needed: required necessary
need: require
safe: secure
abroad: overseas internationally
often: frequently
ill: sick
start: begin commence
end: finish
close: shut
folder: directory
database: db
configuration: config
admin: administrator
repository: repo
nearest: closest
toilet: restroom wc lavatory loo
maximum: max
minimum: min
information: info details detail
choose: select
use: utilise utilize
help: assist
colleague: coworker co-worker
email: e-mail e-mails emails
wifi: wi-fi wlan
postcode: zipcode
telephone: phone
mobile: cellphone smartphone
item: product
big: large
biggest: largest
bigger: larger
until: till
licence: license licences licenses
color: colour colours
center: centre centres
program: programme programmes
favorite: favourite
canceled: cancelled
cancellation: cancelation
authorize: authorise
authorized: authorised
organization: organisation
customize: customise personalise personalize
synchronize: synchronise sync
installment: instalment installments instalments
gray: grey
catalog: catalogue
authentication: authentification
2fa: two-factor mfa
get: obtain
luggage: baggage
reduce: decrease
salary: wage wages paycheck
housing: accommodation accomodation
retake: resit
exam: examination
defective: faulty
enrol: enroll
enable: activate
disable: deactivate
enrolment: enrollment
teammate: team-member
collection: pickup
delivery: deliveries
bank-account: bankaccount
address: adress addres
receive: recieve recive
account: acount acccount
password: pasword passwort passwrd pwd passcode
subscription: subscripton subcription
employee: employes employe staff-member
warranty: waranty
remotely: remotley
separate: seperate
definitely: definately
needed: neccessary necesary
available: availble avaliable
payment: payement paymnet
receipt: reciept
calendar: calender
appointment: apointment appointement
"""

_PHRASES = """
login: log in | sign in | log on | logging in | signing in | log into | sign into | log in to | sign in to
logout: log out | sign out | log off | sign off
register for: sign up for | enrol in | enroll in
register: sign up
contact: get in touch with | get hold of
contact support: reach support | reach customer support | reach customer service | contact customer service
contact support: contact customer support | contact the support team | contact the help desk
return: send back | give back
refund: money back | my money back
request refund: ask for a refund | get a refund | claim a refund | get my refund | request a refund | get my money back
mobile: cell phone | mobile phone
atm: cash machine | cash point | cash dispenser
postcode: zip code | postal code | post code
manual: user manual | user guide | instruction manual
shop: the store | your store
wifi: wi fi
responsible for: in charge of
opening hours: business hours | opening times | office hours | hours of operation
to: in order to | so as to
if: in case
nobody: no one
few-some: a few
little-some: a little
many: a lot of | lots of | plenty of
because of: due to | owing to | on account of
not able to: unable to
not: can no
transfer money: send money | wire money
turn-on: turn on | switch on
turn-off: turn off | switch off
colleague: co worker
2fa: two factor authentication | two-factor authentication | 2 factor authentication | 2-factor authentication
2fa: two factor | 2 factor | 2-factor | multi-factor authentication
collect: pick up
order: place an order | make an order | placing an order
rent flat: rent an apartment | rent the apartment
after order: after ordering
throw away: dispose of | discard
appeal: object to | appeal against
in person: personally
come in person: appear in person | show up in person | be there in person
expense report: expense claim
customer service: customer support | customer care
discount code: promo code | promotion code | promotional code | coupon code
unsubscribe from: stop receiving | opt out of | stop getting
pool: swimming pool
id card: identity card | identification card
driving licence: driver's license | driver license | drivers license | driving license | driver's licence
fill in: fill out
submit: hand in | turn in | send in
free: free of charge | for free | at no cost | at no charge | without charge
statement: bank statement | account statement
about: regarding | concerning
teammate: team member
username: user name
in store: in-store | in the store | in the shop | in shop
turn-off automatic update: stop automatic updates
to pdf: as pdf | as a pdf | into pdf
pay for: bear the cost of | bears the cost of | cover the cost of | covers the cost of
subscribe to newsletter: sign up for the newsletter | sign up for your newsletter | register for the newsletter
postpone: put off
close down: shut down
2fa: two factor authentification
turn-on dark mode: switch to dark mode | use dark mode
remove: get rid of
default setting: factory setting | factory settings
double-sided: double sided | two-sided | two sided
online banking: internet banking | e-banking
abroad: in another country | in a foreign country | to another country | in foreign countries
want to: would like to | wish to
working: functioning
check-in: check in
check-out: check out
"""


def _spellings(table: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for line in table.strip().splitlines():
        word, _, others = line.partition(": ")
        pairs.update(dict.fromkeys(others.split(), word))
    return pairs


def _by_first_word(table: str) -> dict[str, list[tuple[tuple[str, ...], tuple[str, ...]]]]:
    phrases: dict[str, list[tuple[tuple[str, ...], tuple[str, ...]]]] = {}
    for line in table.strip().splitlines():
        target, _, sources = line.partition(": ")
        for source in sources.split(" | "):
            words = tuple(source.split())
            phrases.setdefault(words[0], []).append((words, tuple(target.split())))
    for entries in phrases.values():
        entries.sort(key=lambda entry: -len(entry[0]))
    return phrases


SAME = _spellings(_SAME)
"""Another spelling or an interchangeable word → the word."""
PHRASES = _by_first_word(_PHRASES)
"""First word → (words, what they become), the longest first."""

PARTICLE_VERBS = {("turn", "on"): "turn-on", ("turn", "off"): "turn-off", ("switch", "on"): "turn-on"} | {
    ("switch", "off"): "turn-off",
    ("send", "back"): "return",
    ("give", "back"): "return",
}
"""Verbs whose particle may follow the object: `turn notifications off`."""

_PERSONAL_DATA = words(
    """
    address email number name information profile setting username
    """
)
_RECORDS = words("account photo file comment history message post document entry profile")
_DOCUMENTS = words("copy replacement transcript certificate record")
SENT = words("send track deliver post courier lost arrive weigh collect pick u:kg u:g u:lb")
_DEVICES = words("router modem computer pc server phone laptop tablet device machine printer system tv")
_FEATURES = words(
    """
    notification update mode roaming sync synchronize alert reminder location renewal tracking cookie 2fa feature
    setting sharing backup subtitle voicemail forwarding waiting autocorrect newsletter bluetooth wifi autoplay logging
    """
)
ABOUT: tuple[tuple[str, str, frozenset[str]], ...] = (
    ("update", "change", _PERSONAL_DATA),
    ("modify", "change", _PERSONAL_DATA),
    ("edit", "change", _PERSONAL_DATA),
    ("amend", "change", _PERSONAL_DATA),
    ("modify", "change", frozenset({"order", "booking", "reservation", "appointment"})),
    ("remove", "delete", _RECORDS),
    ("erase", "delete", _RECORDS),
    ("create", "open", frozenset({"account"})),
    ("set", "open", frozenset({"account"})),
    ("end", "cancel", frozenset({"subscription", "membership"})),
    ("terminate", "cancel", frozenset({"subscription", "membership"})),
    ("shipping", "delivery", frozenset({"fee", "cost", "price", "charge"})),
    ("ship", "deliver", frozenset({"to", "abroad"})),
    ("package", "parcel", SENT),
    ("apartment", "flat", frozenset({"sublet", "landlord", "tenant", "sublease"})),
    ("reboot", "restart", _DEVICES),
    ("turn-on", "enable", _FEATURES),
    ("turn-off", "disable", _FEATURES),
    (
        "shipping",
        "delivery",
        frozenset({"express", "free", "standard", "international", "address", "option", "method"}),
    ),
    ("shipment", "parcel", frozenset({"track"})),
    ("delivery", "parcel", frozenset({"track"})),
    ("raise", "increase", frozenset({"limit", "overdraft"})),
    ("switch", "change", frozenset({"plan", "tariff", "language"})),
    ("alter", "change", _PERSONAL_DATA),
    ("position", "job", frozenset({"apply"})),
    ("stop", "cancel", frozenset({"subscription", "membership"})),
    ("swap", "exchange", frozenset({"item", "size"})),
    ("another", "different", frozenset({"size", "color", "date", "time", "model", "branch", "location"})),
    ("generate", "create", frozenset({"key", "token", "link", "certificate"})),
    ("recover", "restore", frozenset({"file", "deleted", "photo", "message", "data"})),
    ("retrieve", "restore", frozenset({"file", "deleted", "photo", "message", "data"})),
    ("reserve", "book", frozenset({"room", "table", "hotel", "seat", "flight", "ticket", "desk", "car"})),
    ("file", "submit", frozenset({"report", "claim", "complaint", "application", "return"})),
    ("request", "get", _DOCUMENTS),
    ("order", "get", _DOCUMENTS),
    ("empty", "clear", frozenset({"cache", "trash", "bin", "cart"})),
    ("revert", "undo", frozenset({"commit", "change"})),
    ("use", "redeem", frozenset({"code", "coupon", "voucher"})),
    ("apply", "redeem", frozenset({"code", "coupon", "voucher"})),
    ("repeat", "retake", frozenset({"exam", "test"})),
    ("vehicle", "car", frozenset({"register"})),
    ("fix", "repair", frozenset({"printer", "jam", "phone", "laptop", "computer", "screen", "machine"})),
)
"""A word, the word it equals, and the nouns beside which it does: one of the next four words or of the two before."""

VERBS = words(
    """
    accept access activate add adjust allow apply appeal arrange ask attach attend avoid backup block book
    borrow bring buy call cancel change charge check choose claim clean close collect complain configure
    confirm connect contact convert copy create cut deactivate deliver delete deposit disable download drive
    earn edit enable enter erase exchange expire export extend file fill find finish get give help hire
    import increase install invest invite join keep lend lock login logout lose make manage migrate miss
    modify move open order park pass pay play postpone prevent print process protect publish put receive
    record redeem reduce refuse register remove renew rent repair replace report request reschedule reserve
    reset resign restart restore return save scan sell send share show sign smoke start stop store submit
    subscribe swap switch synchronize take terminate track train transfer translate travel turn uninstall
    unlock unsubscribe update upgrade upload use verify visit wait wash wear withdraw work write
    appeal approve archive assemble assign back bill cash charge combine compare complete compress correct debit
    credit customize declare define deploy deregister detect develop dial discuss dispose dispute divide donate drop
    email empty encrypt decrypt end enrol exchange exclude execute exercise explain fix follow forget forward freeze
    generate hide insure integrate issue link list load locate log mail make map mark measure merge message mute name
    notify obtain order organize pair patch pause pick pin plan place play post practise prepare prescribe press
    preview price promote propose prove qualify queue quote rate reach read rebook recharge recover recycle redirect
    reference refund reload remind reply repay resend resit resolve respond resume retake retrieve review revoke ride
    roam roll route run schedule search secure see select separate serve set settle ship shop shut ski sort spend
    split sponsor study subtract sue suggest supply support suspend swim tag talk target tax teach test top touch tour
    trade trade train treat trust try tune type undo unfreeze unfollow unlink unmute unpin vaccinate validate view vote
    walk watch weigh wire zip
    """
)
"""Verbs whose -ing form is read as the verb itself, as after "how about" or "for"."""
_IRREGULAR = """
paid:pay sent:send bought:buy sold:sell made:make taken:take given:give found:find got:get built:build kept:keep
lost:lose left:leave lent:lend shown:show written:write driven:drive worn:wear chosen:choose withdrawn:withdraw
spent:spend set:set reset:reset seen:see brought:bring read:read cut:cut put:put shut:shut stolen:steal taught:teach
undone:undo frozen:freeze hidden:hide run:run split:split
"""
IRREGULAR = dict(pair.split(":") for pair in _IRREGULAR.split())
"""Participle → verb, where it does not end in -ed."""
KEEP_ING_AFTER = words("stop remember forget regret try is are was were be am been")
NOT_PLURAL = words(
    """
    news goods customs glasses arms windows teams maps savings means works pants series species lens always
    plus previous various less this his its is was has does as us yes bus gas os ios aws sms gps pos vs
    canvas status access address process business express across press loss pass class mass boss glass cross
    dress stress guess bonus virus campus focus versus besides towards afterwards sometimes perhaps tennis
    analysis basis thanks contents premises shorts physics christmas texas paris james sports overseas
    unless ours yours theirs hers others terms damages sales specs
    """
)
PASSIVE = {"accept": "accepted", "support": "supported", "offer": "offered", "store": "stored"}
"""`Which cards do you accept` asks what `Which cards are accepted` asks."""
CHARGES = ("fee", "charge", "cost", "price")
FEE_FOR = words(
    """
    delivery shipping ship transfer passport visa licence permit pass course lesson parking park entry admission renewal
    withdrawal parcel appointment copy certificate membership storage locker
    """
)
"""What the fee for it is what it costs: not so of shares or gold. Acts (`registration`, `replacement`) count too."""
COMPOUND_HEADS = words(
    "fee discount limit password price copy deadline policy name date requirement size address language"
)
"""`fee for transfers`, `password of the wifi`: the same as `transfer fee`, `wifi password`."""
FIND_FIRST = words("if when after before because while until unless that which who where whose")
"""Where a clause of its own begins: no auxiliary beyond it belongs to the question."""
PREPOSITIONS = words(
    """
    about above across after against along among around as at before behind below beside between beyond by
    despite during except for from in inside into like near of off on onto out over past per since through
    to toward towards under until up upon with within without
    """
)
VOCABULARY = (
    VERBS
    | frozenset(SAME.values())
    | COMPOUND_HEADS
    | frozenset(word for about in ABOUT for word in about[2])
    | words(
        """
    account address admission airport allowance annual apartment application appointment attachment
    authentication balance benefit birthday booking branch breakfast building business calendar cancellation
    certificate colleague company complaint computer conference confirmation contract coupon course coverage
    currency customer damage deadline delivery department deposit discount document download driver
    electricity employee engine evening exchange expense experience february feedback furniture guarantee
    guest hospital hotel identity insurance interest internet interview invoice january kitchen laptop leave
    library license location luggage machine maintenance manager manual maternity meeting membership message
    minute monitor mortgage museum network newsletter notebook notification october office parental parking
    passenger passport payment payroll pension permission phone platform policy premium prescription printer
    privacy process product profile program promotion property purchase question railway receipt reception
    refund registration remotely restaurant retirement return router salary schedule school screen security
    september service session shipping signature software statement station storage student subscription
    support system telephone terminal ticket timetable traffic training transfer translation treatment
    university update username vacation vaccination vehicle verification voucher warehouse warranty washing
    website wednesday weekend window wireless tomorrow yesterday
    """
    )
)
"""Words that are spelled right."""
