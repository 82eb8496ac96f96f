// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "compiler/ir/address_set.h"
#include "model/address.h"

namespace felix::ipset {

// The kernel keeps 32 bytes for a set's name, the final zero included (IPSET_MAXNAMELEN).
inline constexpr std::size_t kMaxSetNameLength = 31;

// What the kernel calls a set of ours: "cali4" or "cali6", "0" for the format, the id; cut to
// kMaxSetNameLength.
[[nodiscard]] std::string KernelSetName(const ir::SetKey& key);

// The name under which the successor of a set is filled: "cali4t7". Never a KernelSetName.
[[nodiscard]] std::string TemporarySetName(model::IpFamily family, std::uint64_t number);

// True for every name that this program or one of its predecessors may have given to an address
// set of the family: such a set may be destroyed when nobody wants it, all others are left alone.
[[nodiscard]] bool IsOurs(model::IpFamily family, std::string_view name);

// The same for mark maps, whose ids begin with "e:". No name is both.
[[nodiscard]] bool IsMarkMap(model::IpFamily family, std::string_view name);
// The name under which the successor of a mark map is filled: "cali4e7". IsMarkMap, but never a
// KernelSetName.
[[nodiscard]] std::string TemporaryMarkMapName(model::IpFamily family, std::uint64_t number);

}  // namespace felix::ipset
