#include "net/socket_bio.h"

#include <sys/socket.h>

#include <cerrno>

namespace vkb::net {
namespace {

SocketBioState* stateOf(BIO* bio) { return static_cast<SocketBioState*>(BIO_get_data(bio)); }

bool isTransient(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

int bioWrite(BIO* bio, const char* data, std::size_t size, std::size_t* written) {
  BIO_clear_retry_flags(bio);
  SocketBioState* state = stateOf(bio);
  const ssize_t n = ::send(state->fd, data, size, MSG_NOSIGNAL);
  if (n >= 0) {
    *written = static_cast<std::size_t>(n);
    return 1;
  }
  if (isTransient(errno)) {
    BIO_set_retry_write(bio);
  } else {
    state->error_number = errno;
  }
  return 0;
}

int bioRead(BIO* bio, char* data, std::size_t size, std::size_t* read) {
  BIO_clear_retry_flags(bio);
  SocketBioState* state = stateOf(bio);
  const ssize_t n = ::recv(state->fd, data, size, 0);
  state->drained = n > 0 && static_cast<std::size_t>(n) < size;
  if (n > 0) {
    *read = static_cast<std::size_t>(n);
    return 1;
  }
  if (n == 0) {
    state->eof = true;
  } else if (isTransient(errno)) {
    BIO_set_retry_read(bio);
  } else {
    state->error_number = errno;
  }
  return 0;
}

long bioControl(BIO* bio, int command, long, void*) {
  switch (command) {
    case BIO_CTRL_FLUSH:
      return 1;
    case BIO_CTRL_EOF:
      return stateOf(bio)->eof ? 1 : 0;
    default:
      return 0;
  }
}

int bioCreate(BIO* bio) {
  BIO_set_init(bio, 1);
  return 1;
}

/// Lives as long as the process: BIOs point to it.
BIO_METHOD* method() {
  static BIO_METHOD* const instance = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "vk-bridge socket");
    BIO_meth_set_write_ex(made, bioWrite);
    BIO_meth_set_read_ex(made, bioRead);
    BIO_meth_set_ctrl(made, bioControl);
    BIO_meth_set_create(made, bioCreate);
    return made;
  }();
  return instance;
}

}  // namespace

BIO* newSocketBio(SocketBioState* state) {
  BIO* bio = BIO_new(method());
  if (bio != nullptr) BIO_set_data(bio, state);
  return bio;
}

}  // namespace vkb::net
