#pragma once

#include <openssl/bio.h>

namespace vkb::net {

/// What the BIO of one connection remembers. The socket owns it and outlives the BIO.
struct SocketBioState {
  int fd = -1;
  bool eof = false;      ///< the peer sent FIN
  bool drained = false;  ///< the last recv(2) brought less than it had room for
  int error_number = 0;  ///< errno of the last call that failed for good
};

/// A BIO over a non-blocking socket. OpenSSL's own writes with write(2), which raises SIGPIPE when
/// the peer is gone; this one sends with MSG_NOSIGNAL.
BIO* newSocketBio(SocketBioState* state);

}  // namespace vkb::net
