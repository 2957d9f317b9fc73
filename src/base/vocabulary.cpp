// The words that logs, `status` and the state file use for the public enumerations.
#include "vkbridge/pod_record.h"
#include "vkbridge/provider.h"

namespace vkb {

const char* toString(PodRecord::State state) {
  switch (state) {
    case PodRecord::State::kWaiting:
      return "Waiting";
    case PodRecord::State::kCreating:
      return "Creating";
    case PodRecord::State::kCreated:
      return "Created";
    case PodRecord::State::kTerminal:
      return "Terminal";
    case PodRecord::State::kDeleting:
      return "Deleting";
  }
  return "Unknown";
}

const char* toString(ProviderState state) {
  switch (state) {
    case ProviderState::kReady:
      return "Ready";
    case ProviderState::kUnreachable:
      return "Unreachable";
    case ProviderState::kCredentialsRejected:
      return "CredentialsRejected";
    case ProviderState::kClaimedElsewhere:
      return "ClaimedElsewhere";
    case ProviderState::kIdentityChanged:
      return "IdentityChanged";
    case ProviderState::kLeaving:
      return "Leaving";
    case ProviderState::kMassLoss:
      return "MassLoss";
  }
  return "Unknown";
}

}  // namespace vkb
