/// The values a filter, method, function or macro is called with.
struct Arguments {
  var positional: [TemplateValue] = []
  var named: [(name: String, value: TemplateValue)] = []
}

extension Renderer {
  /// Puts arguments in the order of the parameters, nil where one is not given.
  func bind(
    _ arguments: Arguments, to parameters: [String], required: Int = 0, of name: String
  ) throws(TemplateError) -> [TemplateValue?] {
    guard arguments.positional.count <= parameters.count else {
      throw failure("'\(name)' takes at most \(parameters.count) arguments, found \(arguments.positional.count)")
    }
    var values: [TemplateValue?] = arguments.positional
    values += Array(repeating: nil, count: parameters.count - values.count)
    for argument in arguments.named {
      guard let place = parameters.firstIndex(of: argument.name) else {
        throw failure("'\(name)' has no argument '\(argument.name)'")
      }
      guard values[place] == nil else { throw failure("'\(name)' is given the argument '\(argument.name)' twice") }
      values[place] = argument.value
    }
    for place in 0..<required where values[place] == nil {
      throw failure("'\(name)' needs the argument '\(parameters[place])'")
    }
    return values
  }

  func call(_ value: TemplateValue, _ arguments: Arguments) throws(TemplateError) -> TemplateValue {
    try requireDefined(value)
    guard case .callable(let callable) = value else { throw failure("a value of type \(value.typeName) cannot be called") }
    switch callable {
    case .function(let function): return try call(function, arguments)
    case .macro(let macro): return try nested { () throws(TemplateError) in try call(macro, arguments) }
    case .method(let receiver, let name):
      switch receiver.value {
      case .string(let text): return try callMethod(name, of: text, arguments)
      case .object(let object): return try callMethod(name, of: object, arguments)
      case .sequence(let sequence): return try callMethod(name, of: sequence, arguments)
      case .loop(let loop):
        guard arguments.named.isEmpty else { throw failure("'loop.\(name)' takes no named arguments") }
        return try loop.call(name, arguments.positional, self)
      default: throw .unsupported(line: line, construct: "the method '\(name)' on the result of 'safe'")
      }
    }
  }

  /// `{% call expression %}`: the call with one more argument, the block as `caller`.
  func call(_ expression: Expression, caller: TemplateValue, _ scope: Scope) throws(TemplateError) -> TemplateValue {
    guard case .postfix(let base, let chain) = expression, let last = chain.last, case .call(let list) = last.kind else {
      throw failure("'{% call %}' needs a call of a macro")
    }
    let value = try apply(chain.dropLast(), to: try evaluate(base, scope), scope)
    var arguments = try evaluate(list, scope)
    arguments.named.append(("caller", caller))
    line = last.line
    return try call(value, arguments)
  }

  private func call(_ macro: MacroValue, _ arguments: Arguments) throws(TemplateError) -> TemplateValue {
    let definition = macro.definition
    let scope = newScope(for: definition.body.frame, in: macro.scope)
    var named = arguments.named
    func take(_ name: String) -> TemplateValue? {
      named.firstIndex { $0.name == name }.map { named.remove(at: $0).value }
    }
    try spend(definition.parameters.count * (1 + named.count))
    var missing: [MacroParameter] = []
    for (place, parameter) in definition.parameters.enumerated() {
      if place < arguments.positional.count {
        try assign(arguments.positional[place], to: parameter.symbol, scope)
      } else if let value = take(parameter.name) {
        try assign(value, to: parameter.symbol, scope)
      } else {
        try assign(.undefined("the parameter '\(parameter.name)' was not provided"), to: parameter.symbol, scope)
        missing.append(parameter)
      }
    }
    if let caller = definition.special.caller, !definition.parameters.contains(where: { $0.symbol == caller }) {
      try assign(take("caller") ?? .undefined("no caller defined"), to: caller, scope)
    }
    if let symbol = definition.special.namedArguments {
      try assign(try object(named.map { (.string($0.name), $0.value) }), to: symbol, scope)
    } else if let argument = named.first {
      throw failure("the macro '\(definition.name)' has no parameter '\(argument.name)'")
    }
    let surplus = arguments.positional.dropFirst(definition.parameters.count)
    if let symbol = definition.special.arguments {
      try assign(try sequence(.tuple, Array(surplus)), to: symbol, scope)
    } else if !surplus.isEmpty {
      throw failure("the macro '\(definition.name)' takes at most \(definition.parameters.count) arguments")
    }
    for parameter in missing {
      if let expression = parameter.defaultValue { try assign(try evaluate(expression, scope), to: parameter.symbol, scope) }
    }
    let callLine = line
    let text = try capture(definition.body.statements, scope).text
    line = callLine
    return .string(text)
  }

  private func call(_ function: GlobalFunction, _ arguments: Arguments) throws(TemplateError) -> TemplateValue {
    switch function {
    case .range: return try range(arguments)
    case .dict: return try object(try pairs(arguments, of: "dict"))
    case .namespace:
      let namespace = try namespace()
      for pair in try pairs(arguments, of: "namespace") { try set(try string(pair.key), of: namespace, to: pair.value) }
      return .namespace(namespace)
    case .raiseException:
      let values = try bind(arguments, to: ["message"], required: 1, of: "raise_exception")
      throw .raised(line: line, message: try string(values[0] ?? .none))
    case .currentTime:
      let values = try bind(arguments, to: ["format"], required: 1, of: "strftime_now")
      guard let format = values[0]?.text else { throw failure("'strftime_now' needs a string") }
      try spend(format.utf8.count)
      guard let text = time.formatted(format) else {
        throw .unsupported(line: line, construct: "the time format \(TemplateValue.quoted(format))")
      }
      return .string(try counted(text))
    }
  }

  /// What `dict(…)` and `namespace(…)` take: an object or pairs, then names.
  private func pairs(
    _ arguments: Arguments, of name: String
  ) throws(TemplateError) -> [(key: TemplateValue, value: TemplateValue)] {
    guard arguments.positional.count <= 1 else { throw failure("'\(name)' takes at most one argument without a name") }
    var pairs: [(key: TemplateValue, value: TemplateValue)] = []
    if let first = arguments.positional.first {
      if case .object(let object) = first {
        pairs = object.entries
      } else {
        for element in try elements(of: first) {
          let pair = try elements(of: element)
          guard pair.count == 2 else { throw failure("'\(name)' needs pairs, found \(pair.count) values") }
          pairs.append((try key(pair[0]), pair[1]))
        }
      }
    }
    return pairs + arguments.named.map { (.string($0.name), $0.value) }
  }

  private func range(_ arguments: Arguments) throws(TemplateError) -> TemplateValue {
    guard arguments.named.isEmpty, (1...3).contains(arguments.positional.count) else {
      throw failure("'range' takes one to three integers")
    }
    var bounds: [Int] = []
    for value in arguments.positional {
      guard let bound = value.integer else {
        try requireDefined(value)
        throw failure("'range' needs integers, found \(value.typeName)")
      }
      bounds.append(bound)
    }
    if bounds.count == 1 { bounds.insert(0, at: 0) }
    let step = bounds.count == 3 ? bounds[2] : 1
    guard step != 0 else { throw failure("'range' with step 0") }
    var elements: [TemplateValue] = []
    var place = bounds[0]
    while step > 0 ? place < bounds[1] : place > bounds[1] {
      guard elements.count < RenderingLimits.rangeLength else {
        throw .limit(line: line, reason: "a range of more than \(RenderingLimits.rangeLength) numbers")
      }
      elements.append(.integer(place))
      let (next, overflow) = place.addingReportingOverflow(step)
      if overflow { break }
      place = next
    }
    return try sequence(.range, elements)
  }
}
