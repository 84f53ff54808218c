# SPDX-License-Identifier: BSD-2-Clause
"""Groups that more than one system test deploys."""


def web_groups(instances):
    """The source of a portal, and of web VMs behind it."""
    return """
    portal {
        compatible = "toklat,group";
        image = "portal.elf";
        network = "uplink";
        peers = <&web>;
        start = "boot";
    };
    web: web {
        compatible = "toklat,group";
        image = "httpd.elf";
        instances = <%d>;
        network = "internal";
    };
""" % instances
