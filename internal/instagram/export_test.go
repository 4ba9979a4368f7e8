package instagram

// QuestionOf lets tests see what a guide is shown.
var QuestionOf = questionOf
