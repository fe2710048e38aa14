#!/bin/sh
# A real Prometheus at both of the program's /metrics: tests/serve/prometheus.sh BUILD.
# Debian's package starts a service where there is an init system; here it may not.
set -eu
cd "$(dirname "$0")/../.."
if ! command -v prometheus >/dev/null && [ -w /usr/sbin ]; then
    policy=/usr/sbin/policy-rc.d
    made=
    [ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy && made=1; }
    sh tools/packages.sh install prometheus || true
    [ -z "$made" ] || rm -f $policy
fi
exec "${PYTHON:-python3}" tests/serve/prometheus.py "${1:-build/release}"
