#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# What Apache runs for each request where there is no pool: see htaccess. It has to be executable (mode 755). Apache's
# suexec hands no variables of ours on, so they are set here.

case $0 in
*/*) here=${0%/*} ;;
*) here=. ;;
esac

# Change these if the directory berth/ is not beside the one that this file is in:
program=$here/../berth/berth
configuration=$here/../berth/configuration.ini

export BERTH_CONFIGURATION="$configuration"
# Where the page that people look at lives, see htaccess; without this line there is none.
export BERTH_PAGE=/
# If the host has mod_xsendfile and lets it send from the two stores:
# export BERTH_SENDFILE=x-sendfile
exec "$program"
