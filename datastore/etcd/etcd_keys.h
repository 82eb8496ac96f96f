// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "datastore/v3_decoder.h"

namespace felix::datastore {

// The part of etcd's key space that concerns policy: from the resources of the v3 API to the end of
// Calico's older keys. What lies outside, addresses in use and what agents report of themselves,
// changes often and is of no use here.
inline constexpr std::string_view kEtcdRangeStart = "/calico/resources/";
inline constexpr std::string_view kEtcdRangeEnd = "/calico/v10";  // past /calico/v1/

// What becomes of one key of that range and its value. Keys of the v3 API hold one resource each,
// whose kind, namespace and name must be those of the key; the older ones are read as DecodeV1
// does. Keys of neither form are ignored by kind.
[[nodiscard]] Decoded DecodeEtcdValue(std::string_view key, std::string_view value);

// The key that says whether the datastore may be used, and whether this value of it says so.
inline constexpr std::string_view kClusterInformationKey =
    "/calico/resources/v3/projectcalico.org/clusterinformations/default";
[[nodiscard]] bool IsDatastoreReady(std::string_view cluster_information);

}  // namespace felix::datastore
