// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "datastore/object_reader.h"
#include "model/update.h"

namespace felix::datastore {

// "default" is the cluster's configuration, "node.<host>" that host's.
[[nodiscard]] std::optional<model::ConfigId> ParseFelixConfigurationName(std::string_view name);

// The spec of a FelixConfiguration as parameters of the configuration file: names as the file
// spells them, durations as seconds (the lock probe's as milliseconds), lists joined by commas, an
// empty list of ports as "none". A field that is not known keeps its name, with a capital first
// letter, if its value is a scalar. The annotations config.projectcalico.org/<Name> win over the
// spec. Values are not checked here beyond what the conversion needs.
[[nodiscard]] model::ConfigParameters ReadFelixConfigurationSpec(
    const Field& spec, const std::vector<model::LabelSet::Entry>& annotations, Faults& faults);

}  // namespace felix::datastore
