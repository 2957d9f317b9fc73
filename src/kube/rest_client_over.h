#pragma once

#include <memory>

#include "kube/credentials.h"
#include "kube/rest_client.h"
#include "kube/rest_exchange.h"

namespace vkb::kube {

/// The REST client over any transport; makeRestClient puts HTTP under it. `server` is what messages
/// call it.
std::unique_ptr<Client> makeRestClientOver(RestExchange::Deps deps, std::string server,
                                           RestClientOptions options);

}  // namespace vkb::kube
