# The mean delay to expect from the season alone: the route's departures of the past 28 days at that hour of New York's
# clock, drawn towards route's and airport's means where there were few. POSIX awk: mawk, gawk and busybox agree.
#
# stdin   {"departures": …}, one JSON object; read here: `route` and `airport` (flights_28d, minutes_28d) and of each of
#         `coming` its hour, and route and airport (flights, minutes)
# stdout  {"model": …, "hours": {"2013-07-01T14": 12.3, …}}, minutes
# exit    1 when stdin is not such an object; stderr says why

{ text = text $0 "\n" }

END {
    parse("", token())
    if (text !~ /^[ \t\r\n]*$/) fail("something follows the JSON value")
    d = ".departures"
    airport = mean(number(d ".airport.minutes_28d"), number(d ".airport.flights_28d"), 0, 10)
    route = mean(number(d ".route.minutes_28d"), number(d ".route.flights_28d"), airport, 10)
    if (!((d ".coming") in size)) fail("no departures.coming")
    for (i = 0; i < size[d ".coming"]; i++) {
        c = d ".coming." i
        if (value[c ".hour"] !~ /^[0-9][-0-9T]+$/) fail("no hour in departures.coming." i)
        usual = mean(number(c ".airport.minutes"), number(c ".airport.flights"), airport, 10)
        expected = mean(number(c ".route.minutes"), number(c ".route.flights"), route + usual - airport, 10)
        shown = sprintf("%.1f", expected)
        if (shown == "-0.0") shown = "0.0"
        hours = hours (i ? "," : "") "\"" value[c ".hour"] "\":" shown
    }
    print "{\"model\":\"seasonal mean of 28 days\",\"hours\":{" hours "}}"
}

# A mean in which the prior counts as `weight` further flights.
function mean(total, count, prior, weight) { return (total + weight * prior) / (count + weight) }

function number(path) {
    if (value[path] !~ /^-?[0-9]/) fail("no number at " substr(path, 2))
    return value[path] + 0
}

# Takes the next token off `text`.
function token(    t) {
    if (!match(text, /^[ \t\r\n]*("([^"\\]|\\.)*"|-?[0-9][-+.0-9eE]*|true|false|null|[][{}:,])/)) fail("not JSON: " substr(text, 1, 40))
    t = substr(text, 1, RLENGTH)
    text = substr(text, RLENGTH + 1)
    sub(/^[ \t\r\n]+/, "", t)
    return t
}

# Puts the JSON value that begins with token `t` into value[path], its members under path.name or path.number.
function parse(path, t,    n, key) {
    if (t == "{") {
        for (t = token(); t != "}"; t = token()) {
            if (n++) { if (t != ",") fail("no comma before " t); t = token() }
            if (t !~ /^"/) fail("no name: " t)
            key = substr(t, 2, length(t) - 2)
            if (token() != ":") fail("no colon after " t)
            parse(path "." key, token())
        }
    } else if (t == "[") {
        for (t = token(); t != "]"; t = token()) {
            if (n++) { if (t != ",") fail("no comma before " t); t = token() }
            parse(path "." (n - 1), t)
        }
        size[path] = n + 0
    } else if (t ~ /^"/) {
        value[path] = substr(t, 2, length(t) - 2)
    } else if (t ~ /^[-0-9tfn]/) {
        value[path] = t
    } else fail("no value: " t)
}

function fail(why) {
    print "seasonal_baseline: " why | "cat 1>&2"
    close("cat 1>&2")
    exit 1
}
