#!/bin/sh
# Installs the real peers of the tests where apt-get can: dcmtk, Orthanc with DICOMweb, PostgreSQL.
# What stays missing is said here and by the tests that need it; with CI=true such a test fails.
missing=""
for pair in storescu:dcmtk Orthanc:orthanc /usr/share/orthanc/plugins/libOrthancDicomWeb.so:orthanc-dicomweb pg_config:postgresql; do
    program=${pair%%:*} package=${pair#*:}
    case $program in
        pg_config) ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing $package" ;;
        /*) [ -e "$program" ] || missing="$missing $package" ;;
        *) command -v "$program" >/dev/null 2>&1 || missing="$missing $package" ;;
    esac
done
[ -z "$missing" ] && exit 0
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    echo "installing peers:$missing"
    # Their own services must not start: each test starts its own on a free port.
    printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
    rm -f /usr/sbin/policy-rc.d
else
    echo "missing peers:$missing (their tests skip; with CI=true they fail)"
fi
exit 0
