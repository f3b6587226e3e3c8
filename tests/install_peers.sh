#!/bin/sh
# Installs the real peers of the tests where it can: by apt-get dcmtk, Orthanc with DICOMweb, PostgreSQL, Chromium,
# node and PixelMed; by npm what tests/peers.npm pins, each into .peers/NAME@VERSION.
# What stays missing is said here and by the tests that need it; with CI=true such a test fails.
cd "$(dirname "$0")/.." || exit 1

missing=""
for pair in storescu:dcmtk Orthanc:orthanc /usr/share/orthanc/plugins/libOrthancDicomWeb.so:orthanc-dicomweb \
    pg_config:postgresql chromium:chromium node:nodejs npm:npm javac:default-jdk-headless \
    /usr/share/java/pixelmed.jar:libpixelmed-java; do
    program=${pair%%:*} package=${pair#*:}
    case $program in
        pg_config) ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing $package" ;;
        /*) [ -e "$program" ] || missing="$missing $package" ;;
        *) command -v "$program" >/dev/null 2>&1 || missing="$missing $package" ;;
    esac
done
if [ -z "$missing" ]; then
    :
elif command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    echo "installing peers:$missing"
    # Their own services must not start: each test starts its own on a free port.
    printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
    rm -f /usr/sbin/policy-rc.d
else
    echo "missing peers:$missing (their tests skip; with CI=true they fail)"
fi

# Packed and unpacked, not installed: OHIF's package is its built pages, and of its dependencies none is needed.
while read -r package; do
    [ -e ".peers/$package/package.json" ] && continue
    echo "installing peer: $package"
    rm -rf .peers/fetched && mkdir -p .peers/fetched/unpacked
    if npm pack --silent --pack-destination .peers/fetched "$package" </dev/null >/dev/null \
        && tar xzf .peers/fetched/*.tgz -C .peers/fetched/unpacked --strip-components=1; then
        mkdir -p "$(dirname ".peers/$package")" && rm -rf ".peers/$package"
        mv .peers/fetched/unpacked ".peers/$package"
    else
        echo "missing peer: $package (its tests skip; with CI=true they fail)"
    fi
    rm -rf .peers/fetched
done < tests/peers.npm
exit 0
