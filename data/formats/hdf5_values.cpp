#include "data/formats/hdf5_values.h"

#include "src/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>

namespace nowcell {
namespace {

double scaling(const Hdf5File& file, const std::string& object, const std::string& name, double fallback) {
    const std::vector<double> values = file.numbers(object, name);
    if (values.empty()) return fallback;
    const bool factor = name == "scale_factor" || name == "gain";
    if (values.size() == 1 && std::isfinite(values[0]) && !(factor && values[0] == 0)) return values[0];
    throw Error(ExitCode::data, fmt::format("attribute {} of {} is not one usable number", name, object));
}

bool is_integer(StoredType type) {
    return type != StoredType::f16 && type != StoredType::f32 && type != StoredType::f64;
}

StoredType unsigned_of(StoredType type) {
    switch (type) {
        case StoredType::i8: return StoredType::u8;
        case StoredType::i16: return StoredType::u16;
        case StoredType::i32: return StoredType::u32;
        case StoredType::i64: return StoredType::u64;
        default: return type;
    }
}

// What the NetCDF library takes as missing where the file names nothing. Source: netcdf.h, NC_FILL_*.
double default_fill(StoredType type) {
    switch (type) {
        case StoredType::i16: return -32767;
        case StoredType::u16: return 65535;
        case StoredType::i32: return -2147483647;
        case StoredType::u32: return 4294967295.0;
        case StoredType::f32:
        case StoredType::f64: return 9.9692099683868690e+36;
        default: return std::nan("");
    }
}

// Limits of stored values; an attribute of real numbers on packed integers speaks of physical ones.
void limit(const Hdf5File& file, const Hdf5Description& data, Packing& packing) {
    const bool packed = packing.scale != 1.0 || packing.offset != 0.0;
    const auto bound = [&](const char* name, double value, bool least) {
        double stored = value;
        if (packed && is_integer(data.stored) && file.is_real(data.name, name)) {
            stored = (value - packing.offset) / packing.scale;
            if (packing.scale < 0) least = !least;
            stored += least ? -1e-6 : 1e-6;  // of one step: 10.1 / 0.1 is a little less than 101
        }
        if (std::isnan(stored)) return;
        if (least) packing.least = stored;
        if (!least) packing.most = stored;
    };
    const std::vector<double> range = file.numbers(data.name, "valid_range");
    if (range.size() == 2) {
        bound("valid_range", range[0], true);
        bound("valid_range", range[1], false);
        return;
    }
    for (const double value : file.numbers(data.name, "valid_min")) bound("valid_min", value, true);
    for (const double value : file.numbers(data.name, "valid_max")) bound("valid_max", value, false);
}

void read_netcdf(const Hdf5File& file, const Hdf5Description& data, Hdf5Values& out) {
    out.packing.scale = scaling(file, data.name, "scale_factor", 1.0);
    out.packing.offset = scaling(file, data.name, "add_offset", 0.0);
    for (const char* name : {"_FillValue", "missing_value"}) {
        for (const double fill : file.numbers(data.name, name)) out.packing.fills.push_back(fill);
    }
    if (!file.text(data.name, "_FillValue").has_value() && is_netcdf(file, data.name)) {
        const double fill = default_fill(data.stored);
        if (!std::isnan(fill)) out.packing.fills.push_back(fill);
    }
    limit(file, data, out.packing);
    const std::string flag = file.text(data.name, "_Unsigned").value_or("");
    if (flag == "true" || flag == "True" || flag == "1") {
        out.type = unsigned_of(data.stored);
        const double range = std::ldexp(1.0, static_cast<int>(8 * size_of(data.stored)));
        const auto wrap = [&](double& value) {
            if (value < 0 && std::isfinite(value)) value += range;
        };
        for (double& fill : out.packing.fills) wrap(fill);
        wrap(out.packing.least);
        wrap(out.packing.most);
    }
    const std::string units = file.text(data.name, "units").value_or("");
    if (!units.empty()) out.units = units;
}

std::string odim_units(const std::string& quantity) {
    static const std::map<std::string, std::string> known = {{"RATE", "mm/h"}, {"ACRR", "mm"},   {"HGHT", "km"},
                                                             {"VRAD", "m/s"},  {"VRADH", "m/s"}, {"VIL", "kg/m2"}};
    const auto found = known.find(quantity);
    if (found != known.end()) return found->second;
    const bool reflectivity = quantity.rfind("DBZ", 0) == 0 || quantity == "TH" || quantity == "TV";
    return reflectivity ? "dBZ" : "1";
}

// OPERA's data information model: attributes of groups `what` beside the data or one level above. `undetect`, nothing
// to see, is a value and not missing: it reads as offset + gain * undetect.
void read_odim(const Hdf5File& file, const Hdf5Description& data, Hdf5Values& out) {
    std::string group = parent_of(data.name);
    for (int level = 0; level < 2 && !group.empty(); ++level, group = parent_of(group)) {
        const std::string what = group + "/what";
        if (!file.text(what, "gain").has_value()) continue;
        out.packing.scale = scaling(file, what, "gain", 1.0);
        out.packing.offset = scaling(file, what, "offset", 0.0);
        for (const double fill : file.numbers(what, "nodata")) out.packing.fills.push_back(fill);
        if (out.units == "1") out.units = odim_units(file.text(what, "quantity").value_or(""));
        return;
    }
}

// "GEO=0.01*PV+0.0", with or without blanks.
bool parse_formula(std::string text, Packing& packing) {
    text.erase(std::remove(text.begin(), text.end(), ' '), text.end());
    if (text.rfind("GEO=", 0) != 0) return false;
    char* end = nullptr;
    packing.scale = std::strtod(text.c_str() + 4, &end);
    const std::string rest = end;
    if (rest.rfind("*PV", 0) != 0) return false;
    std::string offset = rest.substr(3);
    if (offset.rfind("+-", 0) == 0) offset.erase(0, 1);
    packing.offset = offset.empty() ? 0.0 : std::strtod(offset.c_str(), &end);
    const bool whole = offset.empty() || *end == '\0';
    return whole && std::isfinite(packing.scale) && packing.scale != 0.0 && std::isfinite(packing.offset);
}

// "ACCUMULATED_PRECIPITATION_[MM]" names the unit in brackets.
std::string knmi_units(const std::string& parameter) {
    static const std::map<std::string, std::string> known = {{"MM", "mm"},   {"MM/H", "mm/h"}, {"DBZ", "dBZ"},
                                                             {"M/S", "m/s"}, {"KM", "km"},     {"M", "m"}};
    const std::size_t open = parameter.find('[');
    const std::size_t close = parameter.find(']', open == std::string::npos ? 0 : open);
    if (open == std::string::npos || close == std::string::npos) return "1";
    const std::string unit = parameter.substr(open + 1, close - open - 1);
    const auto found = known.find(unit);
    return found == known.end() ? unit : found->second;
}

void read_knmi(const Hdf5File& file, const Hdf5Description& data, Hdf5Values& out) {
    const std::string group = parent_of(data.name);
    const std::string calibration = group + "/calibration";
    const auto formula = group.empty() ? std::nullopt : file.text(calibration, "calibration_formulas");
    if (!formula.has_value()) return;
    if (!parse_formula(*formula, out.packing)) {
        throw Error(ExitCode::data, fmt::format("attribute calibration_formulas of {}: got '{}', expected 'GEO=a*PV+b'",
                                                calibration, *formula));
    }
    for (const char* name : {"calibration_missing_data", "calibration_out_of_image"}) {
        for (const double fill : file.numbers(calibration, name)) out.packing.fills.push_back(fill);
    }
    if (out.units == "1") out.units = knmi_units(file.text(group, "image_geo_parameter").value_or(""));
}

}  // namespace

std::string parent_of(const std::string& name) {
    const std::size_t slash = name.rfind('/');
    return slash == std::string::npos ? "" : name.substr(0, slash);
}

bool is_netcdf(const Hdf5File& file, const std::string& dataset) {
    if (file.text("/", "_NCProperties").has_value()) return true;
    for (const std::string& scale : file.scales(dataset)) {
        if (!scale.empty() && file.text(scale, "_Netcdf4Dimid").has_value()) return true;
    }
    return false;
}

Hdf5Values hdf5_values(const Hdf5File& file, const Hdf5Description& data, const std::string& path) {
    if (!data.numeric) {
        throw Error(ExitCode::data,
                    fmt::format("dataset '{}' of {} holds {} values, expected numbers", data.name, path, data.type));
    }
    Hdf5Values out;
    out.type = data.stored;
    read_netcdf(file, data, out);
    read_odim(file, data, out);
    read_knmi(file, data, out);
    return out;
}

void describe_values(const Hdf5Values& values, const Hdf5Description& data, SourceInfo& info) {
    info.stored_type = data.type;
    info.chunk_shape = data.chunk;
    info.filters = data.filters;
    info.units = values.units;
    info.scale = values.packing.scale;
    info.offset = values.packing.offset;
    info.has_fill = !values.packing.fills.empty();
    info.fill = info.has_fill ? values.packing.fills.front() : 0.0;
}

}  // namespace nowcell
