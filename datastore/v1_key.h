// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace felix::datastore {

// A key of the older store, /calico/v1/..., which Calico kept in etcd before its v3 API, taken
// apart. Names are given without their escapes (%2f, %25). Keys that do not have the layout of any
// kind are kUnknown; keys of other trees under /calico are kOther and have no part in policy.
struct V1Key {
  enum class Kind : std::uint8_t {
    kUnknown,
    kOther,
    kV3Resource,  // /calico/resources/v3/...: not of this store at all
    kReady,
    kConfig,            // name: the parameter
    kHostConfig,        // host, name: the parameter
    kHostFact,          // host; its addresses and the like
    kWorkloadEndpoint,  // host, orchestrator, workload, name
    kHostEndpoint,      // host, name
    kProfileRules,      // name
    kProfileLabels,
    kProfileTags,
    kTier,        // name
    kPolicy,      // tier, name
    kNetworkSet,  // name
    kIpPool,
  };
  Kind kind = Kind::kUnknown;
  std::string host;
  std::string orchestrator;
  std::string workload;
  std::string tier;
  std::string name;
};

[[nodiscard]] V1Key ParseV1Key(std::string_view key);

// What is wrong with one of the names in the key, if anything: each is [a-zA-Z0-9_.-]+, and those
// of workloads, policies and network sets may be two of them with a slash between.
[[nodiscard]] std::optional<std::string> CheckV1Names(const V1Key& key);

// One name of the store: [a-zA-Z0-9_.-]{1,253}.
[[nodiscard]] std::optional<std::string> CheckV1Name(std::string_view what, std::string_view name);

}  // namespace felix::datastore
