// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

#include "felix/replay/answer.h"
#include "felix/replay/cluster.h"

namespace felix::replay {

enum class ConvertTo : std::uint8_t {
  kResources,  // one JSON object in each line, as `felix --datastore file:DIR` reads *.json
  kEtcd,       // as etcdctl get -w json prints it
};

// The keys of etcd that an input holds at its end, or at the revision that was asked for, in
// another form. Errors: an input holds resources, which have no keys, or cannot be read.
[[nodiscard]] absl::StatusOr<Answer> Convert(const InputRequest& request, ConvertTo form);

}  // namespace felix::replay
