#include "support/faults.h"

#include "kube/client.h"

namespace vkb::test {

Matcher requestsOf(std::string verb, std::string resource, std::string name, std::string actor) {
  return [=](const Request& request) {
    return (verb.empty() || request.verb == verb) &&
           (resource.empty() || request.resource == resource) &&
           (name.empty() || request.name == name) && (actor.empty() || request.actor == actor);
  };
}

Matcher anyRequest() {
  return [](const Request&) { return true; };
}

Matcher anyWrite() {
  return [](const Request& request) { return request.isWrite(); };
}

void Faults::refuse(Status status, int times, Matcher matches) {
  inject({Fault::Kind::kRefuse, std::move(matches), times, std::move(status)});
}

void Faults::loseAnswers(int times, Matcher matches) {
  inject({Fault::Kind::kLoseAnswer, std::move(matches), times, {}});
}

void Faults::delayWrites(int times, Matcher matches) {
  inject({Fault::Kind::kLateWrite, std::move(matches), times, {}});
}

void Faults::setDown(const std::string& actor, bool down) {
  if (down) {
    down_actors_.insert(actor);
  } else {
    down_actors_.erase(actor);
  }
}

void Faults::clear() {
  faults_.clear();
  down_ = false;
  down_actors_.clear();
}

std::optional<Fault> Faults::take(const Request& request) {
  for (auto it = faults_.begin(); it != faults_.end(); ++it) {
    if (!it->matches(request)) continue;
    Fault hit = *it;
    if (it->times != Fault::kForever && --it->times <= 0) faults_.erase(it);
    return hit;
  }
  return std::nullopt;
}

void Faults::addLateWrite(std::function<void()> effect) {
  late_writes_.push_back({clock_.now(), std::move(effect)});
}

std::size_t Faults::releaseLateWrites() {
  std::deque<LateWrite> writes;
  writes.swap(late_writes_);
  std::size_t done = 0;
  for (const LateWrite& write : writes) {
    if (clock_.now() - write.sent > kube::kWriteTimeout) continue;
    write.effect();
    ++done;
  }
  return done;
}

}  // namespace vkb::test
