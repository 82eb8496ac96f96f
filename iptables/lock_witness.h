// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

namespace felix::iptables {

// Tells whether another program can have had its turn with the xtables lock. Ask while holding the
// lock; who holds it when asked has nobody's turn beside him.
class LockWitness {
 public:
  virtual ~LockWitness() = default;
  // A value that is the same at two moments only if no other program opened, closed, made or
  // replaced the lock file between them. None: nothing is known, so assume the worst.
  virtual std::optional<std::uint64_t> Token() = 0;
};

}  // namespace felix::iptables
