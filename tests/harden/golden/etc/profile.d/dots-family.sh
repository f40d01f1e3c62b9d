# /etc/profile.d/dots-family.sh
# Written by the dots-family hardening; changes here are lost.

# base.shell-defaults: A shell that nobody uses ends, and no shell's programs leave core dumps
# Seconds that a shell waits at its prompt; a parent's terminal does not stay open for the next one at the keyboard.
TMOUT=900
export TMOUT
ulimit -c 0
