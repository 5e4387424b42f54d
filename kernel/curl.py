"""Curl: a libcurl handle that verifies, follows nobody and takes nothing from the surroundings."""

import ssl

import pycurl


def strict_handle() -> pycurl.Curl:
    """Return a handle for HTTP/1.1 over TLS 1.2 or newer, with the system's authorities; it knows
    no redirect, no proxy and no password file. Addresses, limits and times are the caller's."""
    handle = pycurl.Curl()
    authorities = ssl.get_default_verify_paths()
    if authorities.cafile:
        handle.setopt(pycurl.CAINFO, authorities.cafile)
    handle.setopt(pycurl.SSL_VERIFYPEER, 1)
    handle.setopt(pycurl.SSL_VERIFYHOST, 2)
    handle.setopt(pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2)
    handle.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
    handle.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
    handle.setopt(pycurl.FOLLOWLOCATION, 0)
    handle.setopt(pycurl.PROXY, "")
    handle.setopt(pycurl.NETRC, pycurl.NETRC_IGNORED)
    handle.setopt(pycurl.NOSIGNAL, 1)
    return handle
