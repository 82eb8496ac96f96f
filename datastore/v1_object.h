// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "datastore/resource_document.h"
#include "datastore/v3_decoder.h"

namespace felix::datastore {

// What becomes of one key of the older store and its value, by the same rules as DecodeResource: an
// object that cannot be understood in full is absent, and refused by name. The parts of a profile
// and the parameters of a configuration come one by one and are made into one object where they
// meet. Pools and addresses of hosts are kinds without a part in policy. "Ready"
// that is anything but "true" is a hold. Keys without the layout of any kind are refused, those
// outside /calico/v1 are ignored, but for v3 resources, which are refused too: they are to be given
// as objects, without keys.

// A value as the store holds it. The key is the origin of refusals.
[[nodiscard]] Decoded DecodeV1(std::string_view key, std::string_view value);

// Whether the object is {"key": "/calico/...", "value": ...} and not a resource.
[[nodiscard]] bool IsV1Entry(const DocumentNode& object);
// Such an object, from the text of that name. The value is the store's text, or what that text
// would hold in JSON.
[[nodiscard]] Decoded DecodeV1Entry(const DocumentNode& object, std::string_view origin);

}  // namespace felix::datastore
