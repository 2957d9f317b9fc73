#include "net/resolver.h"

#include <netdb.h>

#include <condition_variable>
#include <cstring>
#include <system_error>
#include <thread>

#include "net/transport_errors.h"

namespace vkb::net {
namespace {

struct Answer {
  int error = 0;  ///< EAI_*
  std::vector<SocketAddress> addresses{};
};

Answer look(const std::string& host, std::uint16_t port, int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | flags;
  addrinfo* list = nullptr;
  Answer answer;
  answer.error = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    SocketAddress address;
    if (entry->ai_addrlen > sizeof address.storage) continue;
    std::memcpy(&address.storage, entry->ai_addr, entry->ai_addrlen);
    address.size = entry->ai_addrlen;
    answer.addresses.push_back(address);
  }
  if (list != nullptr) freeaddrinfo(list);
  return answer;
}

}  // namespace

/// Shared by the callers that wait and the thread that looks.
struct Resolver::Lookup {
  std::mutex mutex;
  std::condition_variable changed;
  bool done = false;
  Answer answer;
};

Resolver::Resolver(std::string host, std::uint16_t port) : host_(std::move(host)), port_(port) {}

Status Resolver::failed(const std::string& why) const {
  return unreachable("cannot find the address of \"" + host_ + "\": " + why +
                     "; check the name in the kubeconfig and this machine's DNS");
}

/// The lookup under way, or a new one; null when no thread can be started.
std::shared_ptr<Resolver::Lookup> Resolver::join() {
  const std::lock_guard lock(mutex_);
  if (running_) {
    const std::lock_guard inner(running_->mutex);
    if (!running_->done) return running_;
  }
  running_ = std::make_shared<Lookup>();
  try {
    std::thread([lookup = running_, host = host_, port = port_] {
      Answer answer = look(host, port, AI_ADDRCONFIG);
      const std::lock_guard inner(lookup->mutex);
      lookup->answer = std::move(answer);
      lookup->done = true;
      lookup->changed.notify_all();
    }).detach();
  } catch (const std::system_error&) {
    running_ = nullptr;
  }
  return running_;
}

Result<std::vector<SocketAddress>> Resolver::resolve(AbortHandle& abort, Deadline deadline) {
  if (isIpLiteral(host_)) {
    Answer answer = look(host_, port_, AI_NUMERICHOST);
    if (answer.error != 0) return failure(failed(gai_strerror(answer.error)));
    return std::move(answer.addresses);
  }
  const std::shared_ptr<Lookup> lookup = join();
  if (!lookup) return failure(failed("no thread could be started for the lookup"));
  const AbortHandle::Waker waker(abort, [&lookup] {
    const std::lock_guard inner(lookup->mutex);
    lookup->changed.notify_all();
  });
  std::unique_lock lock(lookup->mutex);
  const bool over =
      lookup->changed.wait_until(lock, deadline, [&] { return lookup->done || abort.aborted(); });
  if (abort.aborted()) return failure(abortedByUs());
  if (!over) return failure(failed("the name server did not answer in time"));
  if (lookup->answer.error != 0) return failure(failed(gai_strerror(lookup->answer.error)));
  return lookup->answer.addresses;
}

}  // namespace vkb::net
