#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# What Apache runs for each request on a shared host: see htaccess. It has to be executable (mode 755). Apache's
# suexec hands no variables of ours on, so they are set here.
#
# Change these if berth/ is not beside the directory of this file:
program=${0%/*}/../berth/berth
configuration=${0%/*}/../berth/configuration.ini

export BERTH_CONFIGURATION="$configuration"
# If the host has mod_xsendfile and lets it send from the two stores:
# export BERTH_SENDFILE=x-sendfile
exec "$program"
