// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace felix::model {

// The number of a text in the program's one table of texts: equal texts have equal numbers while
// anybody holds a reference, so comparing numbers is comparing texts. 0 is no text. The numbers
// follow the order in which texts came, so nothing that is emitted may be sorted by them.
using AtomId = std::uint32_t;

// The table holds each text once with a count of references; a text goes with its last one. All
// functions may be called on any thread, for numbers to which the caller has a reference.
namespace atoms {

[[nodiscard]] AtomId Acquire(std::string_view text);  // one more reference
[[nodiscard]] AtomId Find(std::string_view text);     // 0 if nobody holds it; no reference
void AddReferences(std::span<const AtomId> ids);      // one more for each
void Release(std::span<const AtomId> ids);            // one less for each
[[nodiscard]] std::string_view TextOf(AtomId id);     // valid as long as the reference
[[nodiscard]] std::size_t Count();                    // texts that somebody holds

}  // namespace atoms
}  // namespace felix::model
