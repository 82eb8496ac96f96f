// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "iptables/table_blob.h"
#include "iptables/transaction.h"

namespace felix::iptables {

// `count` entries that were numbered from `from` on and are numbered from `to` on.
struct KeptEntries {
  std::uint32_t from = 0;
  std::uint32_t to = 0;
  std::uint32_t count = 0;
  bool operator==(const KeptEntries&) const = default;
};

struct EditedBlob {
  TableBlob blob;
  std::vector<KeptEntries> kept;  // in order; all other entries are new
  std::string former;             // the buffer of before, to be used again
};

// The table after a transaction. What is not edited is copied in runs and only its jumps are put
// right, so the work that is more than a copy goes with the edited chains. `spare` becomes the new
// buffer; its content does not matter. Errors: kInvalidArgument for an operation that cannot work:
// a missing chain, a position behind the end, a jump to no chain, deleting what is built in, not
// empty or in use.
absl::StatusOr<EditedBlob> EditBlob(TableBlob blob, const Transaction& transaction,
                                    std::string spare);

}  // namespace felix::iptables
