// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace felix {

enum class ParameterType : std::uint8_t {
  kBool,           // true 1 yes y t, false 0 no n f
  kInt,            // decimal, 0x or 0; `detail` is first..last
  kSeconds,        // float text, not negative
  kMillis,         // the same, in thousandths
  kOneOf,          // any case; `detail` lists the canonical spellings, separated by commas
  kMarkMask,       // unsigned 32 bits, at least four of them set
  kInterfaceList,  // names or prefixes, separated by commas
  kNamePatterns,   // as InterfacePatterns has them; empty: none
  kHostname,
  kInterface,      // one name, or a prefix and +; empty: none
  kRate,           // packets per unit: 10/minute; empty: no limit
  kPortRange,      // a port or first:last; empty: none
  kIpv4Address,    // empty: none
  kFailsafePorts,  // as failsafe_ports.h reads them; empty: none
  kText,           // anything
};

enum class ParameterScope : std::uint8_t {
  kLocal,    // ignored in the datastore
  kAnywhere  // command line, environment, file and datastore
};

enum class ParameterChange : std::uint8_t {
  kLive,     // takes effect at once
  kRestart,  // takes effect at the next start
  kNoEffect  // understood as Calico's, without effect in this program
};

// A configuration parameter: what it is called, what it may hold and what it is if nobody says so.
// Names compare without regard to case.
struct Parameter {
  std::string_view name;
  ParameterType type = ParameterType::kText;
  std::string_view default_value;  // in canonical form
  ParameterScope scope = ParameterScope::kAnywhere;
  ParameterChange change = ParameterChange::kLive;
  std::string_view detail = {};
};

// All parameters, sorted by name without regard to case.
[[nodiscard]] std::span<const Parameter> Parameters();

// Null for an unknown name.
[[nodiscard]] const Parameter* FindParameter(std::string_view name);

// The known name that is spelt most like `name`, or empty if none comes near.
[[nodiscard]] std::string_view NearestParameterName(std::string_view name);

// The canonical text of a value: "true", "0xffff0000", "DROP", "90". The word `none` in any case
// stands for the zero of the type. Errors: kInvalidArgument, with what would have been right.
[[nodiscard]] absl::StatusOr<std::string> ParseParameterValue(const Parameter& parameter,
                                                              std::string_view text);

}  // namespace felix
