# How far an installation is: what apt-get or pip says comes in, one line that keeps up goes out.
# Variables: what (is installed), total (how many, where that is known before). A terminal's line is written over.

function say(text) {
  if (tty) printf "\r\033[K  %s%s", what, text
  else if (text == "" || n % 10 == 0) printf "  %s%s\n", what, text
  fflush()
}

function step(doing, name) {
  sub(/[=<>!~\[( ].*/, "", name)
  say(sprintf("  %s %d%s  %s", doing, ++n, total ? " of " total : "", name))
}

BEGIN { tty = system("test -t 1") == 0; say("") }
/ newly installed/ { for (i = 2; i <= NF; i++) if ($i == "newly") total = $(i - 1) }
/^(Collecting|Requirement already satisfied:) / { step("fetching", $1 == "Collecting" ? $2 : $4) }
/^Get:[0-9]+ .* (amd64|all) / { step("fetching", $5) }
/^Installing collected packages/ { n = 0; say("  installing " total) }
/^Setting up / { if (!setting) n = 0; setting = 1; step("setting up", $3) }
END { if (tty) { say(""); print "" } }
